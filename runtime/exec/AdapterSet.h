//===- AdapterSet.h - Adapters in memory, for sessions ----------*- C++ -*-===//
//
// A program that was traced with adapters computes any adapter of that kind,
// rank, alpha and targets: its weights are tensors of the session. A set holds
// several by name and makes a session use one, or none, between two calls.
//
//   TENON_ASSIGN_OR_RETURN(AdapterSet adapters,
//                          AdapterSet::create(session->program().program()));
//   TENON_RETURN_IF_ERROR(adapters.load("pirate", "adapters/pirate"));
//   TENON_RETURN_IF_ERROR(adapters.use(*session, "pirate"));
//   ...
//   TENON_RETURN_IF_ERROR(adapters.useNone(*session));
//
// What a sequence has cached of another adapter stays: begin it anew.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_ADAPTERSET_H
#define TENON_RUNTIME_EXEC_ADAPTERSET_H

#include "runtime/exec/Session.h"
#include "runtime/io/AdapterFile.h"

#include <map>

namespace tenon::exec {

/// Whether a state is a weight of an adapter: no model's file need have it.
bool isAdapterWeight(const base::State &state);

/// Owns: copies of the adapters' weights.
/// Threads: one changes it; any use it while none does.
class AdapterSet {
public:
  /// Makes an empty set for sessions of the program.
  /// Errors: INVALID_ARGUMENT (a program without adapters), DATA_LOSS (its
  ///         metadata).
  static StatusOr<AdapterSet> create(const base::Program &program);

  /// What fits: kind, rank and alpha.
  const io::AdapterConfig &config() const { return settings; }
  /// The program's matrices that the targets match and that can have no
  /// adapters, with "*" for numbers: "layers.*.experts.router".
  const std::vector<std::string> &unadapted() const { return passedOver; }

  /// Reads an adapter's files under a name, which it takes from another one.
  /// Errors: those of `io::AdapterFile::open`; INVALID_ARGUMENT (of another
  ///         kind, rank or alpha, of another model or other targets).
  Status load(const std::string &name, const std::string &path);

  /// Copies what the session computes with now.
  /// Errors: NOT_FOUND (a session of another program).
  Status keep(const std::string &name, Session &session);

  /// Writes an adapter's folder, as PEFT does.
  /// Errors: NOT_FOUND (the name), those of `io::writeAdapter`.
  Status save(std::string_view name, const std::string &folder) const;

  /// Makes the session compute with the adapter from the next call on.
  /// Errors: NOT_FOUND (the name, listing those there are; a session of another
  ///         program, which is then as it was or partly changed).
  Status use(Session &session, std::string_view name) const;

  /// Makes the session compute without an adapter: what adds is zeros.
  Status useNone(Session &session) const;

  std::vector<std::string> names() const;
  /// False if there is none of that name.
  bool remove(std::string_view name);

private:
  /// A weight of the program's adapters.
  struct Weight {
    std::string state, source;
    std::vector<int64_t> shape;
    bool adds = false; // the last of its part: zeros make it change nothing
    /// Of the axis that is the part's result, where the program's weights have
    /// it in another order than files: the heads it is made of.
    size_t axis = 0;
    int64_t heads = 0;
    int64_t elements() const;
  };
  using Values = std::vector<std::vector<float>>; // by weight

  AdapterSet() = default;
  Status readMetadata(const base::Program &program);
  void addWeight(const base::State &state);
  Status checkFile(const io::AdapterFile &file) const;
  StatusOr<const Values *> find(std::string_view name) const;
  /// Between the program's order and files'.
  static std::vector<float> reorder(const Weight &weight,
                                    std::span<const float> from, bool toFile);

  io::AdapterConfig settings;
  std::vector<std::string> passedOver;
  std::map<std::string, int64_t, std::less<>> headsOf; // by part
  std::vector<Weight> weights;
  std::map<std::string, Values, std::less<>> adapters;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_ADAPTERSET_H
