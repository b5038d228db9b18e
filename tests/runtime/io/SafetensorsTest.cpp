//===- SafetensorsTest.cpp - The safetensors reader, on good and bad ------===//

#include "runtime/io/Safetensors.h"
#include "tests/support/GgufWriter.h"
#include "tests/support/SafetensorsWriter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::io {
namespace {

using base::ElementType;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::asBytes;
using tests::writeSafetensors;

StatusOr<SafetensorsFile> parse(const std::string &file) {
  return SafetensorsFile::parse(asBytes(file), "m.safetensors");
}

template <typename... Parts>
void expectBad(const std::string &file, tenon_status_code_t code,
               const Parts &...parts) {
  StatusOr<SafetensorsFile> parsed = parse(file);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().code(), code) << parsed.status();
  EXPECT_THAT(parsed.status().message(),
              AllOf(HasSubstr("m.safetensors: "), HasSubstr(parts)...));
}

// One f32 tensor "w" of `shape` at `offsets`, over `bytes` bytes of data.
std::string oneTensor(std::string shape, std::string offsets, size_t bytes,
                      std::string dtype = "\"F32\"") {
  return writeSafetensors("{\"w\":{\"dtype\":" + dtype + ",\"shape\":" + shape +
                              ",\"data_offsets\":" + offsets + "}}",
                          std::string(bytes, 'x'));
}

TEST(Safetensors, ReadsTensorsInPlace) {
  std::string file = writeSafetensors(
      R"({"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[4,12]},)"
      R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
      R"("e":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]},)"
      R"("s":{"dtype":"F64","shape":[],"data_offsets":[12,20]},)"
      R"("__metadata__":{"format":"pt"}}   )",
      "aaaabbbbbbbbssssssss");
  StatusOr<SafetensorsFile> parsed = parse(file);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed->metadata().getString("format"), "pt");
  const TensorEntry *b = parsed->tensors().find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->type, ElementType::BF16);
  EXPECT_THAT(b->shape, ElementsAre(2, 2));
  EXPECT_EQ(b->data.data(), asBytes(file).data() + b->offset);
  EXPECT_EQ(b->data[0], 'b');
  EXPECT_EQ(parsed->tensors().find("s")->elements(), 1);
  EXPECT_EQ(parsed->tensors().find("e")->elements(), 0);
  EXPECT_EQ(parsed->tensors().tensors().front().name, "a"); // by offset
}

TEST(Safetensors, RefusesEveryTruncationAndAnyRest) {
  std::string file = oneTensor("[2]", "[0,8]", 8);
  ASSERT_TRUE(parse(file).ok());
  for (size_t size = 0; size < file.size(); ++size) {
    std::string part = file.substr(0, size);
    StatusOr<SafetensorsFile> parsed = parse(part);
    ASSERT_FALSE(parsed.ok()) << size;
    EXPECT_THAT(parsed.status().message(), HasSubstr("m.safetensors: expects"));
  }
  expectBad(file + "x", TENON_DATA_LOSS, "cover all 9 bytes", "got 8");
}

TEST(Safetensors, RefusesHeadersThatLie) {
  expectBad(writeSafetensors("{}", "", 3), TENON_DATA_LOSS, "3 bytes",
            "\"header\"", "got 2");
  expectBad(writeSafetensors("{}", "", 100'000'001), TENON_DATA_LOSS,
            "at most 100000000 bytes");
  expectBad(writeSafetensors("{}", "", ~uint64_t{0}), TENON_DATA_LOSS,
            "at most");
  expectBad(writeSafetensors(" {}", ""), TENON_DATA_LOSS, "begin with '{'");
  expectBad(writeSafetensors("", ""), TENON_DATA_LOSS, "begin with '{'");
  expectBad(writeSafetensors("{\"a\":", ""), TENON_DATA_LOSS, "valid JSON");
  expectBad(writeSafetensors("{\"\xff\":1}", ""), TENON_DATA_LOSS, "UTF-8");
  expectBad(writeSafetensors("{\"a\":[[[[1]]]]}", ""), TENON_RESOURCE_EXHAUSTED,
            "at most 4 deep, got 5");
  expectBad(writeSafetensors("{\"__metadata__\":{\"a\":1}}", ""),
            TENON_DATA_LOSS, "\"__metadata__\" to hold strings", "\"a\"");
  expectBad(writeSafetensors("{\"__metadata__\":1}", ""), TENON_DATA_LOSS,
            "to be an object");
}

TEST(Safetensors, RefusesRepeatedNames) {
  std::string tensor = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expectBad(
      writeSafetensors("{\"w\":" + tensor + ",\"w\":" + tensor + "}", "x"),
      TENON_DATA_LOSS, "each key once", "\"w\" twice");
}

TEST(Safetensors, RefusesWrongMembers) {
  expectBad(writeSafetensors("{\"w\":3}", ""), TENON_DATA_LOSS, "tensor \"w\"",
            "\"dtype\"");
  expectBad(oneTensor("[2]", "[0,8]", 8, "7"), TENON_DATA_LOSS, "tensor \"w\"",
            "\"dtype\"");
  expectBad(oneTensor("[8]", "[0,8]", 8, "\"F8_E5M2\""), TENON_UNIMPLEMENTED,
            "tensor \"w\"", "BOOL, U8", "got \"F8_E5M2\"");
  expectBad(oneTensor("2", "[0,8]", 8), TENON_DATA_LOSS, "tensor \"w\"",
            "\"shape\"");
  for (const char *shape :
       {"[-1]", "[1.5]", "[\"2\"]", "[18446744073709551615]",
        "[4294967296,4294967296]"})
    expectBad(oneTensor(shape, "[0,8]", 8), TENON_DATA_LOSS, "tensor \"w\"",
              "dimensions of at least 0");
  for (const char *offsets : {"8", "[0]", "[0,8,9]", "[8,0]", "[0,9]", "[-8,0]",
                              "[0.0,8.0]", "[0,18446744073709551615]"})
    expectBad(oneTensor("[2]", offsets, 8), TENON_DATA_LOSS, "tensor \"w\"",
              "\"data_offsets\" [begin, end]");
}

TEST(Safetensors, RefusesSizesThatLie) {
  expectBad(oneTensor("[3]", "[0,8]", 8), TENON_DATA_LOSS,
            "tensor \"w\" of shape [3] to have 12 bytes, got 8");
  expectBad(oneTensor("[4611686018427387904]", "[0,8]", 8), TENON_DATA_LOSS,
            "tensor \"w\"", "2^63 bytes");
}

TEST(Safetensors, RefusesHolesAndOverlaps) {
  expectBad(oneTensor("[1]", "[4,8]", 8), TENON_DATA_LOSS, "cover all 8 bytes",
            "got 4");
  std::string overlap =
      R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
      R"("b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}})";
  expectBad(writeSafetensors(overlap, "12345678"), TENON_DATA_LOSS,
            "do not overlap", "\"a\"", "\"b\"");
}

TEST(SafetensorsIndex, ListsFilesAndTensors) {
  StatusOr<SafetensorsIndex> index = parseSafetensorsIndex(
      R"({"weight_map":{"b":"1.safetensors","a":"2.safetensors",)"
      R"("c":"1.safetensors"}})",
      "index");
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_THAT(index->files, ElementsAre("1.safetensors", "2.safetensors"));
  ASSERT_EQ(index->entries.size(), 3u);
  EXPECT_EQ(index->entries[0].tensor, "a");
  EXPECT_EQ(index->entries[0].file, 1u);
}

TEST(SafetensorsIndex, RefusesPathsOutOfItsFolder) {
  for (const char *path : {"../w.safetensors", "/etc/passwd", "..", ".", "",
                           "sub/w.safetensors", "a\\\\b", "w\\u0000"}) {
    StatusOr<SafetensorsIndex> index = parseSafetensorsIndex(
        std::string("{\"weight_map\":{\"w\":\"") + path + "\"}}", "index");
    ASSERT_FALSE(index.ok()) << path;
    EXPECT_EQ(index.status().code(), TENON_INVALID_ARGUMENT);
    EXPECT_THAT(index.status().message(),
                HasSubstr("index: expects tensor \"w\" to map to a file beside "
                          "the index"));
  }
}

TEST(SafetensorsIndex, RefusesWrongTypes) {
  auto message = [](const char *text) {
    return parseSafetensorsIndex(text, "index").status().message();
  };
  EXPECT_THAT(message("[]"), HasSubstr("index: expects an object with "
                                       "\"weight_map\", got array"));
  EXPECT_THAT(message("{}"), HasSubstr("a member \"weight_map\", got none"));
  EXPECT_THAT(message(R"({"weight_map":[]})"), HasSubstr("to be an object"));
  EXPECT_THAT(message(R"({"weight_map":{"w":1}})"),
              HasSubstr("tensor \"w\" to map to a file name, got number"));
}

} // namespace
} // namespace tenon::io
