//===- DecoderProgram.h - The program around DecoderKernels.h ---*- C++ -*-===//

#ifndef TENON_TESTS_RUNTIME_EXEC_DECODERPROGRAM_H
#define TENON_TESTS_RUNTIME_EXEC_DECODERPROGRAM_H

#include "tests/runtime/exec/DecoderKernels.h"
#include "tests/runtime/exec/Programs.h"

namespace tenon::exec {

/// Entries "forward" and "sample" over a vocabulary of `width`.
inline ProgramBuilder decoderProgram(int64_t width, int64_t leastRows = 0) {
  ProgramBuilder b;
  uint32_t append = b.kernel("append_tokens", append_tokens, 5, 3);
  uint32_t logits = b.kernel("next_logits", next_logits, 6, 3);
  uint32_t sample = b.kernel("sample_likeliest", sample_likeliest, 2, 1);
  b.program.kernels[append].locations = {{"tn.cache_append", "Test.cpp:1"}};
  b.program.states.push_back({"tokens", ElementType::I32, 256});
  b.program.metadata.push_back({"context_tokens", "1000"});

  Entry &forward = b.entry("forward", {{"T", 1, 64, 1},
                                       {"S", 1, 8, 1},
                                       {"P", 1, 1 << 20, 1},
                                       {"R", leastRows, 64, 1},
                                       {"pageBlocks", 1, 1 << 20, 1},
                                       {"pages", 1, 1 << 20, 1}});
  Expr t = sym(0), s = sym(1), p = sym(2), r = sym(3);
  auto argument = [](const char *name, std::vector<Expr> shape) {
    return base::Value{name, {ElementType::I32, std::move(shape)}};
  };
  // Not in Generator's order: it goes by name.
  forward.arguments = {argument("rows", {r}), argument("tokens", {t}),
                       argument("batch.sequence", {t}),
                       argument("batch.position", {t}),
                       argument("batch.pages", {s, p})};
  forward.results = {{"logits", {ElementType::F32, {r, n(width)}}}};
  Variant &variant = forward.variants.emplace_back();
  variant.name = "any";
  Expr four = n(4), perToken = times(t, four);
  Expr cacheBytes = times(times(sym(4), sym(5)), n(256));
  variant.buffers = {buffer(BufferKind::Argument, 0, times(r, four)),
                     buffer(BufferKind::Argument, 1, perToken),
                     buffer(BufferKind::Argument, 2, perToken),
                     buffer(BufferKind::Argument, 3, perToken),
                     buffer(BufferKind::Argument, 4, times(times(s, p), four)),
                     buffer(BufferKind::State, 0, cacheBytes),
                     buffer(BufferKind::Result, 0, times(r, n(width * 4)))};
  variant.body = {launch(append, {1, 2, 3, 4, 5}, {t, p, sym(4)}, t),
                  launch(logits, {2, 3, 4, 0, 5, 6}, {p, sym(4), n(width)}, r),
                  host(Opcode::Return)};
  liveThroughout(variant);

  Entry &draw = b.entry("sample", {{"R", 1, 64, 1}});
  auto input = [](const char *name, ElementType type) {
    return base::Value{name, {type, {sym(0)}}};
  };
  draw.arguments = {input("logits", ElementType::F32),
                    input("temperature", ElementType::F32),
                    input("topK", ElementType::I32),
                    input("topP", ElementType::F32),
                    input("minP", ElementType::F32),
                    input("seed", ElementType::I64),
                    input("position", ElementType::I32)};
  draw.arguments[0].type.shape.push_back(n(width));
  draw.results = {input("token", ElementType::I32)};
  Variant &once = draw.variants.emplace_back();
  once.name = "any";
  once.buffers = {buffer(BufferKind::Argument, 0, times(sym(0), n(width * 4))),
                  buffer(BufferKind::Result, 0, times(sym(0), four))};
  once.body = {launch(sample, {0, 1}, {n(width)}, sym(0)),
               host(Opcode::Return)};
  liveThroughout(once);
  return b;
}

/// What the model answers to `prompt`, worked out on the host.
inline std::vector<int32_t> expectedTokens(std::vector<int32_t> prompt,
                                           size_t count, int64_t width) {
  size_t begin = prompt.size();
  while (prompt.size() < begin + count) {
    int64_t sum = 0;
    for (size_t i = 0; i < prompt.size(); ++i)
      sum += static_cast<int64_t>(i + 1) * prompt[i];
    prompt.push_back(static_cast<int32_t>(sum % width));
  }
  return {prompt.begin() + begin, prompt.end()};
}

} // namespace tenon::exec
#endif // TENON_TESTS_RUNTIME_EXEC_DECODERPROGRAM_H
