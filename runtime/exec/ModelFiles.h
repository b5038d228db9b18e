//===- ModelFiles.h - The weights and tokenizer beside a program -*- C++
//-*-===//
//
// A .tenon file either embeds its prepared weights and its tokenizer or names
// the file they come from. The Reference section is
//
//   {"file": "model.gguf", "hash": "<WeightsFile::contentHash, 32 hex digits>"}
//
// with a path relative to the .tenon file's folder; the Tokenizer section is
// what io/StoredTokenizer.h writes.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_MODELFILES_H
#define TENON_RUNTIME_EXEC_MODELFILES_H

#include "runtime/exec/LoadedProgram.h"
#include "runtime/exec/Tensor.h"
#include "runtime/io/Tokenizer.h"
#include "runtime/io/WeightsFile.h"

namespace tenon::exec {

/// Finds parameters in a weights file: by `source`, else by `name`. Shares the
/// file.
ParameterLookup lookupIn(std::shared_ptr<const io::WeightsFile> weights);

/// Writes the Reference section for weights that will lie at `file`, relative
/// to the program's folder.
std::string printReference(const io::WeightsFile &weights,
                           const std::string &file);

/// Opens the weights a program read from `programPath` needs: those at
/// `weightsPath`, or, where that is empty, those it refers to; null where it
/// refers to none. Where `opened` is not null, these are taken instead.
/// Errors: those of io::WeightsFile; DATA_LOSS (a reference that is none, or
///         the file is not the one the program was compiled for).
StatusOr<std::shared_ptr<const io::WeightsFile>>
openWeights(const LoadedProgram &program, const std::string &programPath,
            const std::string &weightsPath,
            std::shared_ptr<const io::WeightsFile> opened = nullptr);

/// Loads the tokenizer that the program embeds, or else that of `weights`,
/// which may be null.
/// Errors: NOT_FOUND (neither has one), those of io::Tokenizer.
StatusOr<io::Tokenizer> loadTokenizer(const LoadedProgram &program,
                                      const io::WeightsFile *weights);

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_MODELFILES_H
