// The door `streamdingo/unplugin`: the build plugin for bundlers other than Vite.

export { type StreamDingoPluginOptions, streamdingo } from './plugin.ts'
