// The menu for running benchmarks by hand: every subject and every scenario is a page that says what it measured.

export type Catalogue = Readonly<{ subjects: readonly string[]; scenarios: readonly string[] }>

const response = await fetch('../catalogue.json')
const { subjects, scenarios } = (await response.json()) as Catalogue

const section = (title: string, links: readonly (readonly [text: string, href: string])[]): void => {
  const heading = document.createElement('h2')
  heading.textContent = title
  const list = document.createElement('ul')
  list.append(
    ...links.map(([text, href]) => {
      const item = document.createElement('li')
      item.append(Object.assign(document.createElement('a'), { textContent: text, href }))
      return item
    }),
  )
  document.body.append(heading, list)
}

section(
  'Append and replay',
  subjects.map(name => [name, `../subjects/${name}/subject.html?run`] as const),
)
section(
  'StreamDingo alone',
  scenarios.map(name => [name, `../scenarios/scenario.html?run=${name}`] as const),
)
