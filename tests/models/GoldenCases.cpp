//===- GoldenCases.cpp - Committed tokens and their logits ----------------===//

#include "tests/models/GoldenCases.h"

#include "runtime/io/Json.h"
#include "runtime/io/WeightsFile.h"

#include <cstring>
#include <fstream>
#include <sstream>

namespace tenon::tests {

std::string goldenPath(const std::string &model, const std::string &file) {
  return std::string(TENON_SOURCE_DIR) + "/tests/models/golden/" + model + "/" +
         file;
}

std::vector<GoldenCase> goldenCases(const std::string &model) {
  std::ifstream in(goldenPath(model, "cases.json"));
  std::stringstream text;
  text << in.rdbuf();
  auto json = io::parseJson(text.str(), "cases.json");
  auto logits =
      io::WeightsFile::open(goldenPath(model, "expected.safetensors"));
  if (!json.ok() || !logits.ok())
    return {};
  std::vector<GoldenCase> cases;
  for (const io::Json &item : *json) {
    GoldenCase golden;
    for (const io::Json &token : *io::findMember(item, "tokens"))
      golden.tokens.push_back(static_cast<int32_t>(
          *token.get_ptr<const io::Json::number_unsigned_t *>()));
    const io::TensorEntry *expected =
        logits->find("logits." + std::to_string(cases.size()));
    if (!expected)
      return {};
    golden.logits.resize(expected->elements());
    std::memcpy(golden.logits.data(), expected->data.data(),
                expected->data.size());
    cases.push_back(std::move(golden));
  }
  return cases;
}

} // namespace tenon::tests
