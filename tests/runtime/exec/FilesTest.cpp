//===- FilesTest.cpp - From a .tenon file to text, in C++ and in C --------===//

#include "runtime/exec/TextModel.h"
#include "tenon/generate.h"
#include "tests/runtime/exec/DraftingProgram.h"

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace tenon::exec {
namespace {

using base::Section;
using base::SectionKind;

const std::string kWeights =
    TENON_SOURCE_DIR "/tests/models/golden/tiny_gemma3/model.gguf";

std::string readAll(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Files : public testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() /
             ("tenon-files-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    auto opened = io::WeightsFile::open(kWeights);
    ASSERT_TRUE(opened.ok()) << opened.status();
    weights = std::make_shared<io::WeightsFile>(*std::move(opened));
    auto loaded = io::Tokenizer::load(*weights);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    tokenizer.emplace(*std::move(loaded));
    code = readAll(TENON_TEST_KERNELS);
    builder = decoderProgram(tokenizer->size());
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string path() const { return (folder / "model.tenon").string(); }

  void write(std::vector<Section> extra = {}) {
    std::string program = serialise(builder.program);
    std::vector<Section> sections = {
        {SectionKind::Program, 0, program.data(), program.size()},
        {SectionKind::Code, 0, code.data(), code.size()}};
    sections.insert(sections.end(), extra.begin(), extra.end());
    Status status = base::writeContainer(path(), sections);
    ASSERT_TRUE(status.ok()) << status;
  }

  Status openFailure() { return LoadedProgram::open(path()).status(); }

  std::filesystem::path folder;
  std::shared_ptr<io::WeightsFile> weights;
  std::optional<io::Tokenizer> tokenizer;
  std::string code;
  ProgramBuilder builder;
};

/// What the model's answer to `text` reads as.
std::string expectedText(const io::Tokenizer &tokenizer,
                         const std::string &text, size_t count) {
  auto ids = tokenizer.encode(text);
  EXPECT_TRUE(ids.ok()) << ids.status();
  std::vector<int32_t> answer;
  for (int32_t id : expectedTokens(*ids, count, tokenizer.size())) {
    if (tokenizer.isEndOfText(id))
      break;
    answer.push_back(id);
  }
  io::Decoder decoder(tokenizer);
  std::string result;
  for (int32_t id : answer)
    result += *decoder.push(id);
  return result + decoder.finish();
}

TEST_F(Files, RunCodeFromAContainer) {
  write();
  auto program = LoadedProgram::open(path());
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ((*program)->features(), base::CpuFeatures::V3);
  ModelOptions options;
  options.weightsPath = kWeights;
  auto model = TextModel::open(*program, path(), options);
  ASSERT_TRUE(model.ok()) << model.status();
  auto prompt = (*model)->encode("hello world");
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  std::string text;
  TextOptions textOptions;
  textOptions.maxTokens = 12;
  auto stats =
      (*model)->generate(*prompt, textOptions, [&](std::string_view part) {
        text += part;
        return false;
      });
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(text, expectedText(*tokenizer, "hello world", 12));
}

TEST_F(Files, SayWhyAContainerCannotRun) {
  EXPECT_EQ(openFailure().code(), TENON_NOT_FOUND);
  builder.program.kernels[0].symbol = "absent";
  write();
  EXPECT_THAT(openFailure(), FailsWith(TENON_DATA_LOSS, "kernel 'absent'"));
  builder = decoderProgram(tokenizer->size());
  code = "no object";
  write();
  EXPECT_THAT(openFailure(), FailsWith(TENON_DATA_LOSS, "loadable"));
  Status status = base::writeContainer(path(), {});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(openFailure(), FailsWith(TENON_DATA_LOSS, "program section"));
  std::string program = serialise(builder.program);
  status = base::writeContainer(
      path(), {{SectionKind::Program, 0, program.data(), program.size()}});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(openFailure(),
              FailsWith(TENON_UNAVAILABLE, "the file holds none"));
}

TEST_F(Files, FindTheWeightsTheyWereCompiledFor) {
  std::filesystem::copy_file(kWeights, folder / "w.gguf");
  std::string reference = printReference(*weights, "w.gguf");
  Section section = {SectionKind::Reference, 0, reference.data(),
                     reference.size()};
  write({section});
  auto program = LoadedProgram::open(path());
  ASSERT_TRUE(program.ok()) << program.status();
  auto model = TextModel::open(*program, path(), {});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE((*model)->tokenizer().ok());

  // Another model's file under the same name.
  std::filesystem::copy_file(
      TENON_SOURCE_DIR "/tests/models/golden/tiny_qwen2/model.gguf",
      folder / "w.gguf", std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(TextModel::open(*program, path(), {}).status(),
              FailsWith(TENON_DATA_LOSS, "the program was compiled for"));
  std::filesystem::remove(folder / "w.gguf");
  EXPECT_EQ(TextModel::open(*program, path(), {}).status().code(),
            TENON_NOT_FOUND);
}

TEST_F(Files, RefuseAReferenceThatIsNone) {
  std::string reference = "{\"file\": 3}";
  write({{SectionKind::Reference, 0, reference.data(), reference.size()}});
  auto program = LoadedProgram::open(path());
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_THAT(TextModel::open(*program, path(), {}).status(),
              FailsWith(TENON_DATA_LOSS, "a file and its hash"));
}

TEST_F(Files, MapEmbeddedWeightsWithoutCopying) {
  builder.program.prepared = {{"packed", 64}};
  std::string embedded(64, 'w');
  write({{SectionKind::Weights, 0, embedded.data(), embedded.size()}});
  auto program = LoadedProgram::open(path());
  ASSERT_TRUE(program.ok()) << program.status();
  auto model = TextModel::open(*program, path(), {});
  ASSERT_TRUE(model.ok()) << model.status();
  auto bytes = (*model)->session().preparedBytes();
  EXPECT_EQ(bytes.data(), (*program)->section(SectionKind::Weights).data());
  EXPECT_EQ((*model)->session().preparedMemory(), nullptr);
  embedded.resize(63);
  write({{SectionKind::Weights, 0, embedded.data(), embedded.size()}});
  program = LoadedProgram::open(path());
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_THAT(TextModel::open(*program, path(), {}).status(),
              FailsWith(TENON_DATA_LOSS, "64 bytes, got 63"));
}

/// Frees a C status and gives its code.
tenon_status_code_t codeOf(tenon_status_t status) {
  tenon_status_code_t code = tenon_status_code(status);
  tenon_status_free(status);
  return code;
}

int append(void *user, const char *text, size_t sizeBytes) {
  static_cast<std::string *>(user)->append(text, sizeBytes);
  return 0;
}

TEST_F(Files, ServeC) {
  write();
  tenon_device_options_t deviceOptions = TENON_DEVICE_OPTIONS_INIT;
  deviceOptions.threads = 2;
  tenon_device_t *device;
  ASSERT_EQ(codeOf(tenon_device_open("cpu", &deviceOptions, &device)),
            TENON_OK);
  EXPECT_EQ(tenon_device_workers(device), 2u);
  tenon_program_t *program;
  ASSERT_EQ(codeOf(tenon_program_open(path().c_str(), &program)), TENON_OK);
  EXPECT_EQ(tenon_program_entry_count(program), 2u);
  EXPECT_STREQ(tenon_program_entry_name(program, 1), "sample");
  EXPECT_EQ(tenon_program_entry_name(program, 2), nullptr);
  EXPECT_STREQ(tenon_program_metadata(program, "context_tokens"), "1000");
  EXPECT_EQ(tenon_program_metadata(program, "none"), nullptr);

  tenon_session_options_t options = TENON_SESSION_OPTIONS_INIT;
  options.device = device;
  options.weights_path = kWeights.c_str();
  tenon_session_t *session;
  ASSERT_EQ(codeOf(tenon_session_open(program, &options, &session)), TENON_OK);
  tenon_program_release(program); // the session keeps both
  tenon_device_release(device);

  std::string text;
  tenon_generate_options_t generation = TENON_GENERATE_OPTIONS_INIT;
  generation.max_tokens = 9;
  tenon_generate_stats_t stats;
  stats.size_bytes = sizeof(stats);
  tenon_session_trace_start(session);
  ASSERT_EQ(codeOf(tenon_session_generate(session, "hello", &generation, append,
                                          &text, &stats)),
            TENON_OK);
  EXPECT_EQ(text, expectedText(*tokenizer, "hello", 9));
  EXPECT_LE(stats.tokens, 9);
  std::string trace = (folder / "trace.json").string();
  EXPECT_EQ(codeOf(tenon_session_trace_write(session, trace.c_str())),
            TENON_OK);
  EXPECT_NE(readAll(trace).find("append_tokens"), std::string::npos);
  EXPECT_EQ(codeOf(tenon_session_trace_write(session, trace.c_str())),
            TENON_INVALID_ARGUMENT);

  int32_t ids[2];
  size_t count = 0;
  ASSERT_EQ(codeOf(tenon_session_tokenize(session, "hello", ids, 2, &count)),
            TENON_OK);
  EXPECT_EQ(count, tokenizer->encode("hello")->size());
  tenon_session_stats_t sizes;
  sizes.size_bytes = sizeof(sizes);
  tenon_session_get_stats(session, &sizes);
  EXPECT_EQ(sizes.state_bytes, 4 * 4 * 256);
  tenon_session_cancel(session);
  EXPECT_EQ(codeOf(tenon_session_generate(session, "hello", NULL, append, &text,
                                          NULL)),
            TENON_CANCELLED);
  tenon_session_resume(session);
  tenon_session_close(session);
}

TEST_F(Files, DraftFromC) {
  for (bool canDraft : {true, false}) {
    builder = canDraft ? draftingProgram(tokenizer->size())
                       : decoderProgram(tokenizer->size());
    write();
    tenon_program_t *program;
    ASSERT_EQ(codeOf(tenon_program_open(path().c_str(), &program)), TENON_OK);
    tenon_session_options_t options = TENON_SESSION_OPTIONS_INIT;
    options.weights_path = kWeights.c_str();
    options.drafts = 3;
    tenon_session_t *session;
    ASSERT_EQ(codeOf(tenon_session_open(program, &options, &session)),
              TENON_OK);
    tenon_program_release(program);
    std::string text;
    tenon_generate_options_t generation = TENON_GENERATE_OPTIONS_INIT;
    generation.max_tokens = 30;
    tenon_generate_stats_t stats;
    stats.size_bytes = sizeof(stats);
    EXPECT_EQ(codeOf(tenon_session_generate(session, "hello", &generation,
                                            append, &text, &stats)),
              canDraft ? TENON_OK : TENON_INVALID_ARGUMENT);
    if (canDraft) {
      EXPECT_EQ(text, expectedText(*tokenizer, "hello", 30));
      EXPECT_GT(stats.accepted_tokens, 0);
      EXPECT_LE(stats.accepted_tokens, stats.drafted_tokens);
    }
    tenon_session_close(session);
  }
}

TEST_F(Files, CallFromC) {
  write();
  tenon_program_t *program;
  ASSERT_EQ(codeOf(tenon_program_open(path().c_str(), &program)), TENON_OK);
  tenon_session_t *session;
  ASSERT_EQ(codeOf(tenon_session_open(program, NULL, &session)), TENON_OK);
  std::vector<float> logits(tokenizer->size()), ones(1, 1.0f);
  logits[3] = 1;
  int64_t shape[] = {1, tokenizer->size()};
  int32_t zero = 0, token = -1;
  int64_t seed = 0;
  tenon_tensor_t arguments[] = {
      {logits.data(), TENON_F32, shape, 2}, {ones.data(), TENON_F32, shape, 1},
      {&zero, TENON_I32, shape, 1},         {ones.data(), TENON_F32, shape, 1},
      {ones.data(), TENON_F32, shape, 1},   {&seed, TENON_I64, shape, 1},
      {&zero, TENON_I32, shape, 1}};
  tenon_tensor_t result = {&token, TENON_I32, shape, 1};
  EXPECT_EQ(
      codeOf(tenon_session_call(session, "sample", arguments, 7, &result, 1)),
      TENON_OK);
  EXPECT_EQ(token, 3);
  arguments[2].element = 99;
  EXPECT_EQ(
      codeOf(tenon_session_call(session, "sample", arguments, 7, &result, 1)),
      TENON_INVALID_ARGUMENT);
  std::string text;
  EXPECT_EQ(codeOf(tenon_session_generate(session, "hello", NULL, append, &text,
                                          NULL)),
            TENON_NOT_FOUND); // neither weights nor a tokenizer
  tenon_session_close(session);
  tenon_program_release(program);
}

} // namespace
} // namespace tenon::exec
