//===- ByteAlphabet.h - How byte-level BPE spells bytes -------------------===//
//
// Each byte is a printable character: itself where it is printable Latin-1,
// else the next free code point from U+0100. A space is U+0120.
// Source: Radford et al. 2019, the released encoder's bytes_to_unicode.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_BYTEALPHABET_H
#define TENON_IO_BYTEALPHABET_H

#include <cstdint>

namespace tenon::io {

/// Returns whether a byte is spelled by the character of its own number.
constexpr bool isPrintableByte(char32_t byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) ||
         (byte >= 0xae && byte <= 0xff);
}

/// Returns the character that spells `byte`.
constexpr char32_t charOfByte(uint8_t byte) {
  if (isPrintableByte(byte))
    return byte;
  char32_t code = 0x100;
  for (char32_t other = 0; other < byte; ++other)
    code += !isPrintableByte(other);
  return code;
}

/// Returns the byte that `code` spells, or -1.
constexpr int byteOfChar(char32_t code) {
  if (code < 0x100)
    return isPrintableByte(code) ? static_cast<int>(code) : -1;
  // 0x00-0x20, 0x7f-0xa0 and 0xad: 68 bytes in ascending order.
  char32_t rank = code - 0x100;
  if (rank <= 0x20)
    return static_cast<int>(rank);
  if (rank <= 0x42)
    return static_cast<int>(rank - 0x21 + 0x7f);
  return rank == 0x43 ? 0xad : -1;
}

static_assert(charOfByte(' ') == 0x120 && byteOfChar(0x120) == ' ');
static_assert(byteOfChar(charOfByte(0xad)) == 0xad &&
              byteOfChar(charOfByte(0x7f)) == 0x7f &&
              byteOfChar(charOfByte(0xa0)) == 0xa0);

} // namespace tenon::io

#endif // TENON_IO_BYTEALPHABET_H
