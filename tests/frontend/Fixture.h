//===- Fixture.h - Small models for the DSL's tests -------------*- C++ -*-===//

#ifndef TENON_TESTS_FRONTEND_FIXTURE_H
#define TENON_TESTS_FRONTEND_FIXTURE_H

#include "frontend/dsl/Layers.h"
#include "frontend/dsl/Trace.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tenon::tests {

/// A model without parameters of its own.
struct Empty : Module {
  Empty() : Module(nullptr, "empty") {}
};

/// Traces one entry "f" of an empty model.
inline absl::StatusOr<TracedProgram>
traceBody(const std::function<Tensor(Arguments &)> &body) {
  Empty model;
  Entry entry{"f", [&](Arguments &in) -> Results { return {{"y", body(in)}}; }};
  return trace(model, {entry});
}

/// The text of its program, or its errors.
inline std::string textOf(const std::function<Tensor(Arguments &)> &body) {
  absl::StatusOr<TracedProgram> program = traceBody(body);
  return program.ok() ? program->print()
                      : std::string(program.status().message());
}

} // namespace tenon::tests
#endif // TENON_TESTS_FRONTEND_FIXTURE_H
