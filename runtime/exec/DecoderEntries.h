//===- DecoderEntries.h - The entries a decoder model has -------*- C++ -*-===//
//
// What `Generator` expects of a program's signature; its header shows it.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_DECODERENTRIES_H
#define TENON_RUNTIME_EXEC_DECODERENTRIES_H

#include "runtime/base/Program.h"

#include <span>
#include <string_view>

namespace tenon::exec {

// Roles of the arguments of `forward` and `draft`, of `sample` and of
// `generate`.
enum : size_t {
  kTokens,
  kSequence,
  kPosition,
  kPages,
  kRows,
  kForwardRoles,
  kStates = kForwardRoles, // of `draft` alone
  kDraftRoles,
};
enum : size_t {
  kLogits,
  kTemperature,
  kTopK,
  kTopP,
  kMinP,
  kSeed,
  kDrawPosition,
  kSampleRoles,
};
enum : size_t {
  kFirstToken,
  kLoopSequence,
  kLoopPosition, // the batch's, which it does not read
  kLoopPages,
  kLoopTemperature,
  kLoopTopK,
  kLoopTopP,
  kLoopMinP,
  kLoopSeed,
  kFirstPosition,
  kStops,
  kLimit,
  kGenerateRoles,
};

struct ValueForm {
  std::string_view name;
  base::ElementType element;
  size_t rank;
};
struct EntryForm {
  std::span<const ValueForm> arguments; // by role
  std::span<const ValueForm> results;
};
EntryForm forwardSignature();
EntryForm sampleSignature();
EntryForm generateSignature();
EntryForm forwardStatesSignature();
EntryForm draftSignature();

/// Finds the place of each role's argument in the entry.
/// Errors: INVALID_ARGUMENT (one is missing, unknown, or of another type).
StatusOr<std::vector<size_t>> orderArguments(const base::Entry &entry,
                                             const EntryForm &form);

/// Numbers of the program's states that note a token's experts, in the order of
/// its layers: the caches of frontend/dsl/RecordedRouting.h.
std::vector<size_t> routingStates(const base::Program &program);

/// The longest context the model was made for; 0 where it does not say.
int64_t modelContext(const base::Program &program);

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_DECODERENTRIES_H
