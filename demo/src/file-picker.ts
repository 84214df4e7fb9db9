// A link that asks for a file.

import { html } from 'lit'

export type FilePicker = Readonly<{ label: string; accept: string; onPicked: (file: File) => void }>

export function filePicker({ label, accept, onPicked }: FilePicker) {
  const pick = ({ target }: Event): void => {
    const input = target as HTMLInputElement
    const file = input.files?.[0]
    // Or the same file could not be picked again.
    input.value = ''
    if (file) onPicked(file)
  }
  return html`
    <label class="link file-picker">
      ${label}
      <input type="file" accept=${accept} class="spoken" @change=${pick} />
    </label>
  `
}
