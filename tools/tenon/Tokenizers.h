//===- Tokenizers.h - The tokenizer of a MODEL argument ---------*- C++ -*-===//

#ifndef TENON_TOOLS_TOKENIZERS_H
#define TENON_TOOLS_TOKENIZERS_H

#include "runtime/io/Tokenizer.h"

#include <string>

namespace tenon::tools {

/// Loads the tokenizer of a .gguf file, of a folder with tokenizer.json or of a
/// .tenon file.
/// Errors: NOT_FOUND, DATA_LOSS and those of io::Tokenizer.
StatusOr<io::Tokenizer> loadTokenizer(const std::string &path);

/// The text of a tokenizer.json whose tokens 0 to 255 are the bytes; 256 ends a
/// text.
std::string byteTokenizerJson();
/// The tokenizer_config.json to it.
std::string byteTokenizerConfig();

} // namespace tenon::tools
#endif // TENON_TOOLS_TOKENIZERS_H
