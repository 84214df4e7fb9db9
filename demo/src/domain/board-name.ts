/** A board's name, which is also its store's id and the bearer token of whoever may use it. */
export const BOARD_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/
