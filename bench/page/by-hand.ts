// Runs a benchmark when the page's address says so, and shows its figures as they come.

export function runByHand(work: (parameter: string, show: (line: string) => void) => Promise<void>): void {
  const parameter = new URLSearchParams(location.search).get('run')
  if (parameter === null) return
  const output = document.createElement('pre')
  document.body.append(output)
  const show = (line: string): void => output.append(`${line}\n`)
  work(parameter, show).then(
    () => show('Done.'),
    (error: unknown) => show(String(error)),
  )
}
