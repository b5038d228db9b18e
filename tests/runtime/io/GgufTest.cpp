//===- GgufTest.cpp - The GGUF reader, on good files and bad --------------===//

#include "runtime/io/Gguf.h"
#include "tests/support/GgufWriter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::io {
namespace {

using base::ElementType;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::asBytes;
using tests::GgufWriter;
using tests::kGgmlF32;
using tests::kGgmlQ2_K;
using tests::kGgmlQ8_0;

StatusOr<GgufFile> parse(const std::string &file) {
  return GgufFile::parse(asBytes(file), "m.gguf");
}

// Expects parsing to fail with `code`, naming the file and each part.
template <typename... Parts>
void expectBad(const std::string &file, tenon_status_code_t code,
               const Parts &...parts) {
  StatusOr<GgufFile> gguf = parse(file);
  ASSERT_FALSE(gguf.ok());
  EXPECT_EQ(gguf.status().code(), code) << gguf.status();
  EXPECT_THAT(gguf.status().message(),
              AllOf(HasSubstr("m.gguf: "), HasSubstr(parts)...));
}

GgufWriter sample() {
  GgufWriter gguf;
  gguf.addString("general.architecture", "gemma3");
  gguf.addU32("gemma3.block_count", 18);
  gguf.addTensor("a", {2, 64}, kGgmlQ8_0, std::string(136, 'q'));
  gguf.addTensor("b", {3}, kGgmlF32, std::string(12, 'f'));
  return gguf;
}

TEST(Gguf, ReadsTensorsInPlace) {
  std::string file = sample().write();
  StatusOr<GgufFile> gguf = parse(file);
  ASSERT_TRUE(gguf.ok()) << gguf.status();
  ASSERT_EQ(gguf->tensors().tensors().size(), 2u);
  const TensorEntry *a = gguf->tensors().find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->type, ElementType::Q8_0);
  EXPECT_THAT(a->shape, ElementsAre(2, 64)); // outermost first
  EXPECT_EQ(a->elements(), 128);
  EXPECT_EQ(a->data.size(), 136u);
  EXPECT_EQ(a->data.data(), asBytes(file).data() + a->offset);
  EXPECT_EQ(a->data[0], 'q');
  EXPECT_EQ(gguf->tensors().find("b")->data[11], 'f');
  EXPECT_EQ(gguf->tensors().find("c"), nullptr);
  EXPECT_EQ(gguf->header().size(), a->offset);
}

TEST(Gguf, ReadsVersion2AndOtherAlignments) {
  GgufWriter gguf;
  gguf.version = 2;
  gguf.alignment = 4096;
  gguf.addU32("general.alignment", 4096);
  gguf.addTensor("a", {1}, kGgmlF32, "1234");
  gguf.addTensor("b", {1}, kGgmlF32, "1234");
  std::string bytes = gguf.write();
  StatusOr<GgufFile> file = parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->version(), 2u);
  EXPECT_EQ(file->alignment(), 4096u);
  EXPECT_EQ(file->tensors().find("b")->offset, 8192u);
}

TEST(Gguf, GivesTypedMetadata) {
  GgufWriter gguf;
  gguf.addScalar<uint8_t>("u8", 0, 200);
  gguf.addScalar<int8_t>("i8", 1, -3);
  gguf.addScalar<uint16_t>("u16", 2, 60000);
  gguf.addScalar<int16_t>("i16", 3, -4);
  gguf.addScalar<int32_t>("i32", 5, -5);
  gguf.addF32("f32", 0.5f);
  gguf.addBool("yes", true);
  gguf.addString("text", "t");
  gguf.addScalar<uint64_t>("u64", 10, ~uint64_t{0});
  gguf.addI64("i64", -6);
  gguf.addScalar("f64", 12, 0.25);
  gguf.addArray<int16_t>("ints", 3, {1, -2});
  gguf.addArray<float>("floats", 6, {1.5f});
  gguf.addStrings("texts", {"x", "", "yz"});
  std::string bytes = gguf.write();
  StatusOr<GgufFile> file = parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  const Metadata &m = file->metadata();
  EXPECT_EQ(*m.getInt("u8"), 200);
  EXPECT_EQ(*m.getInt("i8"), -3);
  EXPECT_EQ(*m.getInt("u16"), 60000);
  EXPECT_EQ(*m.getInt("i16"), -4);
  EXPECT_EQ(*m.getInt("i32"), -5);
  EXPECT_EQ(*m.getInt("i64"), -6);
  EXPECT_EQ(*m.getFloat("f32"), 0.5);
  EXPECT_EQ(*m.getFloat("f64"), 0.25);
  EXPECT_EQ(*m.getFloat("i32"), -5.0);
  EXPECT_TRUE(*m.getBool("yes"));
  EXPECT_EQ(*m.getString("text"), "t");
  EXPECT_THAT(*m.getInts("ints"), ElementsAre(1, -2));
  EXPECT_THAT(*m.getFloats("floats"), ElementsAre(1.5));
  EXPECT_THAT(*m.getFloats("ints"), ElementsAre(1.0, -2.0));
  EXPECT_THAT(*m.getStrings("texts"), ElementsAre("x", "", "yz"));
  EXPECT_EQ(*m.getInt("absent", 7), 7);
}

TEST(Gguf, MetadataErrorsNameFileKeyAndBothTypes) {
  std::string bytes = sample().write();
  StatusOr<GgufFile> file = parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  const Metadata &m = file->metadata();
  EXPECT_EQ(m.getInt("gemma3.context").status().message(),
            "m.gguf: expects a value for \"gemma3.context\", got none");
  EXPECT_EQ(m.getInt("general.architecture", 1).status().message(),
            "m.gguf: expects \"general.architecture\" to be an integer below "
            "2^63, got a string");
  EXPECT_THAT(m.getString("gemma3.block_count").status().message(),
              HasSubstr("\"gemma3.block_count\" to be a string, got an "
                        "unsigned integer"));
  EXPECT_THAT(m.getBool("gemma3.block_count").status().message(),
              HasSubstr("to be a boolean"));
  EXPECT_THAT(m.getFloat("general.architecture").status().message(),
              HasSubstr("to be a number"));
  EXPECT_THAT(m.getStrings("gemma3.block_count").status().message(),
              HasSubstr("to be an array"));
}

TEST(Gguf, RefusesEveryTruncation) {
  std::string file = sample().write();
  // Padding after the last tensor may go; everything before it may not.
  size_t needed = file.size() - (32 - 12);
  EXPECT_TRUE(parse(file.substr(0, needed)).ok());
  for (size_t size = 0; size < needed; ++size) {
    std::string part = file.substr(0, size);
    StatusOr<GgufFile> gguf = parse(part);
    ASSERT_FALSE(gguf.ok()) << size;
    EXPECT_EQ(gguf.status().code(), TENON_DATA_LOSS) << gguf.status();
    EXPECT_THAT(gguf.status().message(), HasSubstr("m.gguf: expects"));
  }
}

TEST(Gguf, RefusesOtherMagicVersionAndByteOrder) {
  GgufWriter gguf = sample();
  gguf.magic = "GGML";
  expectBad(gguf.write(), TENON_DATA_LOSS, "expects the magic \"GGUF\"");
  gguf.magic = "GGUF";
  gguf.version = 1;
  expectBad(gguf.write(), TENON_UNIMPLEMENTED, "version 2 or 3, got 1");
  gguf.version = 0x03000000;
  expectBad(gguf.write(), TENON_UNIMPLEMENTED, "little-endian");
}

TEST(Gguf, RefusesCountsThatTheFileCannotHold) {
  GgufWriter gguf = sample();
  gguf.tensorCount = ~uint64_t{0};
  expectBad(gguf.write(), TENON_DATA_LOSS, "tensor count", "can hold");
  gguf.tensorCount.reset();
  gguf.valueCount = uint64_t{1} << 60;
  expectBad(gguf.write(), TENON_DATA_LOSS, "metadata count", "can hold");
}

TEST(Gguf, RefusesLengthsThatLie) {
  std::string huge;
  GgufWriter::put<uint64_t>(huge, ~uint64_t{0});
  GgufWriter text;
  text.addRaw("k", 8, huge);
  expectBad(text.write(), TENON_DATA_LOSS, "\"k\"", "at most");
  std::string array;
  GgufWriter::put<uint32_t>(array, 4);
  GgufWriter::put<uint64_t>(array, uint64_t{1} << 62);
  GgufWriter numbers;
  numbers.addRaw("k", 9, array);
  expectBad(numbers.write(), TENON_DATA_LOSS, "array \"k\" that fits");
  GgufWriter key;
  key.addU32(std::string(70000, 'k'), 1);
  expectBad(key.write(), TENON_DATA_LOSS, "\"metadata key\"", "65535");
  GgufWriter name;
  name.addTensor(std::string(2000, 'n'), {1}, kGgmlF32, "1234");
  expectBad(name.write(), TENON_DATA_LOSS, "\"tensor name\"", "1024");
}

TEST(Gguf, RefusesValuesOfNoType) {
  GgufWriter scalar;
  scalar.addRaw("k", 13, "12345678");
  expectBad(scalar.write(), TENON_DATA_LOSS, "type of 0 to 12 for \"k\"",
            "got 13");
  std::string array;
  GgufWriter::put<uint32_t>(array, 99);
  GgufWriter::put<uint64_t>(array, 0);
  GgufWriter elements;
  elements.addRaw("k", 9, array);
  expectBad(elements.write(), TENON_DATA_LOSS, "\"k\"", "got 99");
  array[0] = 9;
  GgufWriter nested;
  nested.addRaw("k", 9, array);
  expectBad(nested.write(), TENON_UNIMPLEMENTED, "\"k\", an array of arrays");
  GgufWriter flag;
  flag.addRaw("k", 7, "\2");
  expectBad(flag.write(), TENON_DATA_LOSS, "boolean \"k\"", "got 2");
}

TEST(Gguf, RefusesRepeatedNames) {
  GgufWriter keys = sample();
  keys.addU32("gemma3.block_count", 19);
  expectBad(keys.write(), TENON_DATA_LOSS, "each key once",
            "\"gemma3.block_count\" twice");
  GgufWriter tensors = sample();
  tensors.addTensor("a", {1}, kGgmlF32, "1234");
  expectBad(tensors.write(), TENON_DATA_LOSS, "each tensor once",
            "\"a\" twice");
}

TEST(Gguf, RefusesAlignmentsThatAreNoPowerOfTwo) {
  for (uint32_t value : {0u, 24u, 1u << 30}) {
    GgufWriter gguf;
    gguf.addU32("general.alignment", value);
    expectBad(gguf.write(), TENON_DATA_LOSS, "\"general.alignment\"",
              "power of two", "got " + std::to_string(value));
  }
  GgufWriter text;
  text.addString("general.alignment", "32");
  expectBad(text.write(), TENON_INVALID_ARGUMENT, "got a string");
}

TEST(Gguf, RefusesTensorsOutOfPlace) {
  std::string bytes(128, 'x');
  GgufWriter misaligned;
  misaligned.addTensor("t", {4}, kGgmlF32, bytes, 8);
  expectBad(misaligned.write(), TENON_DATA_LOSS, "tensor \"t\"",
            "multiple of 32, got offset 8");
  GgufWriter outside;
  outside.addTensor("t", {4}, kGgmlF32, bytes, 128);
  expectBad(outside.write(), TENON_DATA_LOSS, "tensor \"t\" within 128 bytes",
            "16 bytes at offset 128");
  GgufWriter wrapping;
  wrapping.addTensor("t", {4}, kGgmlF32, bytes, ~uint64_t{31});
  expectBad(wrapping.write(), TENON_DATA_LOSS, "tensor \"t\" within");
  GgufWriter overlapping;
  overlapping.addTensor("s", {16}, kGgmlF32, bytes);
  overlapping.addTensor("t", {4}, kGgmlF32, bytes, 32);
  expectBad(overlapping.write(), TENON_DATA_LOSS, "do not overlap", "\"s\"",
            "\"t\"");
}

TEST(Gguf, RefusesShapesThatLie) {
  std::string bytes(128, 'x');
  GgufWriter large;
  large.addTensor("t", {33}, kGgmlF32, bytes);
  expectBad(large.write(), TENON_DATA_LOSS, "tensor \"t\"", "132 bytes");
  GgufWriter overflowing;
  overflowing.addTensor("t", {uint64_t{1} << 32, uint64_t{1} << 32}, kGgmlF32,
                        bytes);
  expectBad(overflowing.write(), TENON_DATA_LOSS, "tensor \"t\"",
            "fewer than 2^63 elements");
  GgufWriter huge;
  huge.addTensor("t", {uint64_t{1} << 62}, kGgmlF32, bytes);
  expectBad(huge.write(), TENON_DATA_LOSS, "tensor \"t\"", "2^63 bytes");
  GgufWriter empty;
  empty.addTensor("t", {4, 0}, kGgmlF32, bytes);
  expectBad(empty.write(), TENON_DATA_LOSS, "tensor \"t\"", "at least 1");
  GgufWriter deep;
  deep.addTensor("t", {1, 1, 1, 1, 1}, kGgmlF32, bytes);
  expectBad(deep.write(), TENON_DATA_LOSS, "at most 4 dimensions, got 5");
  GgufWriter ragged;
  ragged.addTensor("t", {64, 2}, kGgmlQ8_0, bytes);
  expectBad(ragged.write(), TENON_DATA_LOSS, "rows of tensor \"t\"",
            "multiple of 32", "q8_0", "[64, 2]");
}

TEST(Gguf, RefusesTypesTenonHasNot) {
  GgufWriter gguf;
  gguf.addTensor("t", {256}, kGgmlQ2_K, std::string(84, 'x'));
  expectBad(gguf.write(), TENON_UNIMPLEMENTED, "tensor \"t\"",
            "one of f32, f16, q4_0", "got ggml type 10");
}

} // namespace
} // namespace tenon::io
