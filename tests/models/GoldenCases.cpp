//===- GoldenCases.cpp - Committed tokens and their logits ----------------===//

#include "tests/models/GoldenCases.h"

#include "runtime/io/Json.h"
#include "runtime/io/WeightsFile.h"

#include "gtest/gtest.h"

#include <cstring>
#include <fstream>
#include <sstream>

namespace tenon::tests {

std::string goldenPath(const std::string &model, const std::string &file) {
  return std::string(TENON_SOURCE_DIR) + "/tests/models/golden/" + model + "/" +
         file;
}

std::string replacedConfig(const std::string &model, const std::string &from,
                           const std::string &to) {
  std::ifstream in(goldenPath(model, "config.json"));
  std::stringstream text;
  text << in.rdbuf();
  std::string config = text.str();
  EXPECT_NE(config.find(from), std::string::npos);
  config.replace(config.find(from), from.size(), to);
  return config;
}

/// Empty if there are none.
static std::vector<float> floatsOf(const io::WeightsFile &file,
                                   const std::string &name) {
  const io::TensorEntry *entry = file.find(name);
  std::vector<float> values(entry ? entry->elements() : 0);
  if (entry)
    std::memcpy(values.data(), entry->data.data(), entry->data.size());
  return values;
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
    std::string number = std::to_string(cases.size());
    golden.logits = floatsOf(*logits, "logits." + number);
    golden.further = floatsOf(*logits, "further." + number);
    golden.chained = floatsOf(*logits, "chained." + number);
    if (golden.logits.empty())
      return {};
    cases.push_back(std::move(golden));
  }
  return cases;
}

} // namespace tenon::tests
