//===- ModelFiles.cpp - The weights and tokenizer beside a program --------===//

#include "runtime/exec/ModelFiles.h"
#include "runtime/io/Json.h"
#include "runtime/io/StoredTokenizer.h"

#include <filesystem>

namespace tenon::exec {
namespace {

struct Reference {
  std::string file;
  std::string hash;
};

StatusOr<Reference> parseReference(std::string_view text) {
  constexpr std::string_view kSource = "reference section";
  TENON_ASSIGN_OR_RETURN(io::Json json, io::parseJson(text, kSource));
  const std::string *file = io::textOf(io::findMember(json, "file"));
  const std::string *hash = io::textOf(io::findMember(json, "hash"));
  if (!file || !hash)
    return dataLoss(kSource, ": expects a file and its hash");
  return Reference{*file, *hash};
}

std::string_view textOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

} // namespace

ParameterLookup lookupIn(std::shared_ptr<const io::WeightsFile> weights) {
  return [weights = std::move(weights)](
             const base::Parameter &parameter) -> StatusOr<TensorView> {
    const io::TensorEntry *tensor = weights->find(parameter.source);
    if (!tensor)
      tensor = weights->find(parameter.name);
    if (!tensor)
      return notFound("expects the tensor '", parameter.source, "' in '",
                      weights->path(), "', got none");
    return TensorView{tensor->data.data(), tensor->type, tensor->shape};
  };
}

std::string printReference(const io::WeightsFile &weights,
                           const std::string &file) {
  io::Json json = {{"file", file}, {"hash", weights.contentHash().toHex()}};
  return json.dump(-1, ' ', false, io::Json::error_handler_t::replace);
}

StatusOr<std::shared_ptr<const io::WeightsFile>>
openWeights(const LoadedProgram &program, const std::string &programPath,
            const std::string &weightsPath,
            std::shared_ptr<const io::WeightsFile> opened) {
  std::string_view stored =
      textOf(program.section(base::SectionKind::Reference));
  Reference reference;
  if (!stored.empty()) {
    TENON_ASSIGN_OR_RETURN(reference, parseReference(stored));
  }
  if (!opened) {
    std::string path = weightsPath;
    if (path.empty() && !reference.file.empty())
      path = std::filesystem::path(programPath)
                 .replace_filename(reference.file)
                 .string();
    if (path.empty())
      return opened;
    TENON_ASSIGN_OR_RETURN(io::WeightsFile weights,
                           io::WeightsFile::open(path));
    opened = std::make_shared<const io::WeightsFile>(std::move(weights));
  }
  std::string hash = opened->contentHash().toHex();
  if (!reference.hash.empty() && hash != reference.hash)
    return dataLoss(
        "expects the weights the program was compiled for, of hash ",
        reference.hash, ", got '", opened->path(), "' of hash ", hash);
  return opened;
}

StatusOr<io::Tokenizer> loadTokenizer(const LoadedProgram &program,
                                      const io::WeightsFile *weights) {
  std::span<const std::byte> stored =
      program.section(base::SectionKind::Tokenizer);
  if (!stored.empty()) {
    std::span<const uint8_t> bytes(
        reinterpret_cast<const uint8_t *>(stored.data()), stored.size());
    TENON_ASSIGN_OR_RETURN(io::TokenizerSpec spec,
                           io::readStoredTokenizer(bytes, "tokenizer section"));
    return io::Tokenizer::create(std::move(spec));
  }
  if (!weights)
    return notFound("expects a tokenizer in the program or beside its "
                    "weights, got neither");
  return io::Tokenizer::load(*weights);
}

} // namespace tenon::exec
