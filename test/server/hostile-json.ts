// JSON that is none, by the families of JSONTestSuite (https://github.com/nst/JSONTestSuite), and JSON that is odd and
// still JSON. Bytes, since much of it is no text.

import { utf8 } from '../../src/log/bytes.ts'

const NO_JSON_TEXTS = {
  'nothing at all': '',
  'white space alone': ' \t\r\n',
  'an array that does not end': '[1,2',
  'an object that does not end': '{"a":1',
  'a text that does not end': '"abc',
  'a name that does not end': '{"a',
  'an object without a value': '{"a":',
  'an object without a colon': '{"a" 1}',
  'an array closed by a brace': '[1}',
  'an end without a beginning': ']',
  'one end too many': '[1]]',
  'a comma at the end': '[1,]',
  'a comma at the end of an object': '{"a":1,}',
  'a comma at the beginning': '[,1]',
  'two commas': '[1,,2]',
  'two values': '1 2',
  'two objects': '{}{}',
  'something behind it': '{} x',
  'a colon for a comma': '["a":1]',
  'a name without quotes': '{a:1}',
  'a number for a name': '{1:1}',
  'single quotes': "['a']",
  'a comment': '[1/* one */]',
  'a comment to the end of the line': '[1] // one',
  'a hash comment': '[1] # one',
  'a leading zero': '[01]',
  'a negative leading zero': '[-01]',
  'a plus': '[+1]',
  'two signs': '[--1]',
  'a minus alone': '[-]',
  'no digit before the point': '[.5]',
  'no digit behind the point': '[1.]',
  'two points': '[1.2.3]',
  'an exponent without digits': '[1e]',
  'an exponent without a number': '[e1]',
  'a hexadecimal number': '[0x1]',
  'a number with a letter': '[1a]',
  'a number with an underscore': '[1_000]',
  'a bigint': '[1n]',
  'not a number': '[NaN]',
  infinity: '[Infinity]',
  'negative infinity': '[-Infinity]',
  undefined: '[undefined]',
  'true in capitals': '[TRUE]',
  'half of null': '[nul]',
  'digits of another script': '[１]',
  'a tab in a text': '["a\tb"]',
  'a line end in a text': '["a\nb"]',
  'U+0000 in a text': '["a\u0000b"]',
  'U+0000 behind it': '[1]\u0000',
  'an escape that is none': '["\\x41"]',
  'an escape of a quote': "['\\'']",
  'an escape that does not end': '["\\',
  'a short escape of a character': '["\\u00"]',
  'an escape of a character that is none': '["\\u00zz"]',
  'a white space that is none': '[\u00a01]',
  'a word': 'hello',
  'a page': '<html></html>',
  'twenty thousand beginnings': '['.repeat(20_000),
  'twenty thousand arrays': '['.repeat(20_000) + ']'.repeat(20_000),
  'twenty thousand objects': '{"a":'.repeat(20_000),
  'ends before as many beginnings': ']'.repeat(20_000) + '['.repeat(20_000),
  'arrays one deeper than allowed': '['.repeat(65) + ']'.repeat(65),
}

const NO_JSON_BYTES: Readonly<Record<string, number[]>> = {
  'a byte order mark': [0xef, 0xbb, 0xbf, 0x7b, 0x7d],
  'half of a byte order mark': [0xef, 0xbb],
  'UTF-16, low byte first': [0xff, 0xfe, 0x7b, 0, 0x7d, 0],
  'UTF-16, high byte first': [0, 0x7b, 0, 0x7d],
  'a byte that is never UTF-8': [0x22, 0xff, 0x22],
  'a byte that goes on from nothing': [0x22, 0x80, 0x22],
  'a character that is cut': [0x22, 0xe2, 0x82, 0x22],
  'a quote of two bytes': [0xc0, 0xa2, 0x61, 0xc0, 0xa2],
  'U+0000 of two bytes': [0x22, 0xc0, 0x80, 0x22],
  'a slash of three bytes': [0x22, 0xe0, 0x80, 0xaf, 0x22],
  'half of a character of UTF-16': [0x22, 0xed, 0xa0, 0x80, 0x22],
  'a character behind the last there is': [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
  'a character of five bytes': [0x22, 0xf8, 0x88, 0x80, 0x80, 0x80, 0x22],
  'Latin-1': [0x22, 0xe9, 0x22],
}

/** JSON that no double and no text of JavaScript holds. */
export const UNFAITHFUL: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = byName({
  'a number that is too large': '[1e999]',
  'a negative number that is too large': '[-1e999]',
  'four hundred digits': `[${'9'.repeat(400)}]`,
  'the first half of a character': '["\\ud800"]',
  'the second half of a character': '["\\udc00"]',
  'halves of a character in the wrong order': '["\\udc00\\ud800"]',
  'half of a character in a name': '{"\\ud800":1}',
})

export const NO_JSON: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  ...byName(NO_JSON_TEXTS),
  ...Object.fromEntries(Object.entries(NO_JSON_BYTES).map(([name, bytes]) => [name, Uint8Array.from(bytes)])),
}

/** What an event may say, odd as it is. */
export const ODD_JSON: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = byName({
  'a text alone': '"a"',
  'a number alone': '-0',
  'null alone': 'null',
  'an empty name': '{"":0}',
  'a name twice': '{"a":1,"a":2}',
  'a name of the prototype': '{"__proto__":{"isAdmin":true},"constructor":1}',
  'the smallest number': '[5e-324]',
  'a number that is too small': '[1e-999]',
  'more digits than are kept': '[0.1000000000000000055511151231257827021181583404541015625]',
  'a capital exponent': '[1E+2]',
  'all escapes': '["\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9"]',
  'a character by two escapes': '["\\ud83d\\ude00"]',
  'a character of four bytes': '["😀"]',
  'a character that is none yet': '["\\uffff\u{10ffff}"]',
  'line ends of JavaScript': '["\u2028\u2029"]',
  'U+007F': '["\u007f"]',
  'white space everywhere': '\t[ 1 ,\r\n2 ] ',
  'arrays as deep as allowed': '['.repeat(64) + ']'.repeat(64),
})

function byName(texts: Readonly<Record<string, string>>): Record<string, Uint8Array<ArrayBuffer>> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, utf8(text)]))
}
