//===- DraftingProgram.h - A decoder that drafts, around its kernels ------===//

#ifndef TENON_TESTS_RUNTIME_EXEC_DRAFTINGPROGRAM_H
#define TENON_TESTS_RUNTIME_EXEC_DRAFTINGPROGRAM_H

#include "tests/runtime/exec/DecoderProgram.h"

namespace tenon::exec {

/// The entries of `decoderProgram`, "forwardStates" and "draft", which are
/// made of "forward".
inline ProgramBuilder draftingProgram(int64_t width) {
  ProgramBuilder b = decoderProgram(width);
  uint32_t states = b.kernel("token_states", token_states, 5, 2);
  uint32_t draft = b.kernel("draft_logits", draft_logits, 8, 3);
  b.program.states.push_back({"after", ElementType::I32, 256});
  Expr t = sym(0), p = sym(2), r = sym(3), pairs = times(t, n(8));
  const Entry forward = b.program.entries[0];

  Entry &first = b.program.entries.emplace_back(forward);
  first.name = "forwardStates";
  first.results.push_back({"states", {ElementType::F32, {t, n(2)}}});
  Variant &computing = first.variants[0];
  computing.buffers.push_back(buffer(BufferKind::Result, 1, pairs));
  computing.body.insert(computing.body.end() - 1,
                        launch(states, {2, 3, 4, 5, 7}, {p, sym(4)}, t));
  liveThroughout(computing);

  Entry &second = b.program.entries.emplace_back(forward);
  second.name = "draft";
  second.arguments.push_back({"states", {ElementType::F32, {t, n(2)}}});
  second.results.push_back({"states", {ElementType::F32, {r, n(2)}}});
  Variant &drafting = second.variants[0];
  drafting.buffers[5].index = 1; // the other cache
  drafting.buffers.push_back(buffer(BufferKind::Argument, 5, pairs));
  drafting.buffers.push_back(buffer(BufferKind::Result, 1, times(r, n(8))));
  drafting.body[1] =
      launch(draft, {2, 3, 4, 0, 5, 7, 6, 8}, {p, sym(4), n(width)}, r);
  liveThroughout(drafting);
  return b;
}

} // namespace tenon::exec
#endif // TENON_TESTS_RUNTIME_EXEC_DRAFTINGPROGRAM_H
