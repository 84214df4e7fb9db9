// Bundles the declarations of each door, so that what is internal stays out of the package's types.

import { dts } from 'rollup-plugin-dts'
import { DOORS } from './scripts/doors.mjs'

export default {
  input: DOORS,
  external: id => !id.startsWith('.') && !id.startsWith('/') && !/^(src|worker)\//.test(id),
  plugins: [dts({ tsconfig: 'tsconfig.json', compilerOptions: { noEmit: false, skipLibCheck: true } })],
  output: {
    dir: 'dist',
    format: 'es',
    chunkFileNames: 'types/[name]-[hash].d.ts',
    entryFileNames: '[name].d.ts',
  },
}
