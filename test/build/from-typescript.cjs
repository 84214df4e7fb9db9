// A loader of webpack that leaves out types.

const { transformSync } = require('esbuild')

module.exports = source => transformSync(source, { loader: 'ts' }).code
