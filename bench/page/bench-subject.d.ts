// The one subject that a page is built with; the driver's build says which.
declare module 'bench:subject' {
  export const subject: import('../subject.ts').Subject
}
