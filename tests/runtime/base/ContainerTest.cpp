//===- ContainerTest.cpp - The .tenon file, whole or refused --------------===//

#include "runtime/base/Container.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace tenon::base {
namespace {

class Container : public testing::Test {
protected:
  Container()
      : folder(std::filesystem::temp_directory_path() /
               ("tenon-container-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder);
  }
  ~Container() override { std::filesystem::remove_all(folder); }

  std::string path() const { return (folder / "a.tenon").string(); }

  /// Writes a program, code and weights section; returns the file's bytes.
  std::string write() {
    std::string program(100, 'p'), code(5000, 'c'), weights(9000, 'w');
    std::vector<Section> sections = {
        {SectionKind::Program, 0, program.data(), program.size()},
        {SectionKind::Code, 2, code.data(), code.size()},
        {SectionKind::Weights, 0, weights.data(), weights.size()}};
    Status status = writeContainer(path(), sections);
    EXPECT_TRUE(status.ok()) << status;
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static tenon_status_code_t codeOf(const std::string &bytes) {
    return readContainer(bytes.data(), bytes.size()).status().code();
  }

  std::filesystem::path folder;
};

TEST_F(Container, ComesBackAlignedAndWhole) {
  std::string bytes = write();
  auto sections = readContainer(bytes.data(), bytes.size());
  ASSERT_TRUE(sections.ok()) << sections.status();
  ASSERT_EQ(sections->size(), 3u);
  const Section &code = (*sections)[1];
  EXPECT_EQ(code.kind, SectionKind::Code);
  EXPECT_EQ(code.tag, 2u);
  EXPECT_EQ(code.size, 5000u);
  auto offset = static_cast<const char *>(code.data) - bytes.data();
  EXPECT_EQ(offset % 4096, 0);
  EXPECT_EQ(*static_cast<const char *>(code.data), 'c');
  EXPECT_TRUE(verifyContainer(bytes.data(), bytes.size()).ok());
}

TEST_F(Container, ReplacesAFileAndLeavesNothingBeside) {
  write();
  write();
  size_t files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    files += entry.is_regular_file();
  EXPECT_EQ(files, 1u);
}

TEST_F(Container, NamesThePathItCannotWrite) {
  Status status = writeContainer((folder / "none" / "a.tenon").string(), {});
  EXPECT_EQ(status.code(), TENON_UNAVAILABLE);
  EXPECT_NE(status.message().find("none/a.tenon"), std::string::npos);
}

TEST_F(Container, RefusesOtherFilesAndOtherMajors) {
  std::string bytes = write();
  std::string other = bytes;
  other[0] = 'X';
  EXPECT_EQ(codeOf(other), TENON_DATA_LOSS);
  other = bytes;
  other[8] = 2;
  EXPECT_EQ(codeOf(other), TENON_UNIMPLEMENTED);
}

TEST_F(Container, RefusesEveryTruncationOfItsSections) {
  std::string bytes = write();
  size_t end = 4096 * 3 + 5000 / 4096 * 4096 + 9000; // of the weights
  for (size_t size = 0; size < end; size += 97)
    EXPECT_EQ(codeOf(bytes.substr(0, size)), TENON_DATA_LOSS) << size;
}

TEST_F(Container, FindsDamageInTheTableTheProgramAndTheCode) {
  std::string bytes = write();
  for (size_t at : {16, 24, 40, 60, 150, 4096, 8192}) {
    std::string damaged = bytes;
    damaged[at] ^= 1;
    EXPECT_EQ(codeOf(damaged), TENON_DATA_LOSS) << at;
  }
}

TEST_F(Container, FindsDamageInTheWeightsOnRequest) {
  std::string bytes = write();
  bytes[bytes.size() - 4096] ^= 1;
  EXPECT_EQ(codeOf(bytes), TENON_OK);
  Status status = verifyContainer(bytes.data(), bytes.size());
  EXPECT_EQ(status.code(), TENON_DATA_LOSS);
  EXPECT_NE(status.message().find("kind 3"), std::string::npos);
}

TEST_F(Container, RefusesAnUnknownKindOfItsOwnVersion) {
  char byte = 'x';
  Status written =
      writeContainer(path(), {{static_cast<SectionKind>(77), 0, &byte, 1}});
  ASSERT_TRUE(written.ok()) << written;
  std::ifstream file(path(), std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(codeOf(bytes), TENON_DATA_LOSS);
}

TEST(CpuFeatures, AreNamedAndParsed) {
  for (CpuFeatures features :
       {CpuFeatures::V3, CpuFeatures::V4, CpuFeatures::V4Vnni})
    EXPECT_EQ(*parseCpuFeatures(cpuFeaturesName(features)), features);
  EXPECT_EQ(parseCpuFeatures("v5").status().code(), TENON_INVALID_ARGUMENT);
}

} // namespace
} // namespace tenon::base
