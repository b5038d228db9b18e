//===- VariedModels.h - Small decoders in every weights format --*- C++ -*-===//

#ifndef TENON_TESTS_MODELS_VARIEDMODELS_H
#define TENON_TESTS_MODELS_VARIEDMODELS_H

#include "runtime/base/Blocks.h"

#include <string>

namespace tenon::tests {

/// Makes a GGUF file of "tiny_qwen2" or "tiny_gemma3" with its matrices packed
/// as `type`, and a context of 1,024 tokens; empty if that fails, which a test
/// must reject.
std::string repackedModel(const std::string &model, base::ElementType type);

/// Makes a GGUF file of a Qwen2 of width 256, so that every format has whole
/// blocks. Its weights are zero: draw them.
std::string wideQwen(base::ElementType type);

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_VARIEDMODELS_H
