//===- StoredTokenizer.h - A tokenizer as one section of a .tenon file ----===//
//
//   std::string section = storeTokenizer(tokenizer.description());
//   TENON_ASSIGN_OR_RETURN(TokenizerSpec spec,
//                          readStoredTokenizer(bytes, "model.tenon"));
//   TENON_ASSIGN_OR_RETURN(Tokenizer again,
//   Tokenizer::create(std::move(spec)));
//
// The section is a GGUF file without tensors, whose keys begin with "tenon.":
// it holds what both GGUF and tokenizer.json can say, and one verified reader
// serves all.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_STOREDTOKENIZER_H
#define TENON_IO_STOREDTOKENIZER_H

#include "runtime/io/TokenizerSpec.h"

namespace tenon::io {

/// Writes `spec`, which Tokenizer::create has accepted.
std::string storeTokenizer(const TokenizerSpec &spec);

/// Reads what storeTokenizer wrote; `source` names it in messages.
/// Errors: as GgufFile::parse and Metadata's getters; OUT_OF_RANGE (an
///         enumerator or token id that there is none of).
StatusOr<TokenizerSpec> readStoredTokenizer(std::span<const uint8_t> bytes,
                                            std::string_view source);

} // namespace tenon::io

#endif // TENON_IO_STOREDTOKENIZER_H
