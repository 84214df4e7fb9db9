/** The database of a board's store. The tamper button needs it, too: it goes behind the store's back. */
export const databaseName = (storeId: string): string => `streamdingo-demo-${storeId}`
