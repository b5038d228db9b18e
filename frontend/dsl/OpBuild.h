//===- OpBuild.h - Builds one op from handles -------------------*- C++ -*-===//
//
// Internal to the DSL; the generated functions are written in it:
//
//   detail::OpBuild op("rms_norm", site);
//   op.operand("x", x);
//   op.operand("w", w);
//   op.attribute("eps", eps);
//   op.sameType(0);               // or op.infer(ir::infer::...)
//   return op.result<Tensor>(0);
//
// Operands come first: they bring the trace. Whatever fails, from a poisoned
// operand to the op's verifier, poisons the results.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_OPBUILD_H
#define TENON_FRONTEND_DSL_OPBUILD_H

#include "frontend/dsl/Tracer.h"
#include "ir/tn/Infer.h"

namespace tenon::detail {

class OpBuild {
public:
  OpBuild(const char *mnemonic, Site where) : name(mnemonic), site(where) {}

  template <typename H> void operand(const char *what, const H &value) {
    add(what, value.handle());
  }
  template <typename H> void optional(const char *what, const H &value) {
    if (!value.handle().isAbsent())
      add(what, value.handle());
  }
  void operands(const char *what, const std::vector<Tensor> &tensors) {
    for (const Tensor &value : tensors)
      add(what, value.handle());
  }

  void attribute(llvm::StringRef attr, double value);
  void attribute(llvm::StringRef attr, int64_t value);
  void attribute(llvm::StringRef attr, int32_t value); // an enum's number
  void attribute(llvm::StringRef attr, bool value);
  void attribute(llvm::StringRef attr, const std::vector<int64_t> &value);
  void shape(const Shape &wanted) { wantedShape = wanted; }
  void dtype(DType wanted) { wantedType = wanted; }

  /// Builds the op; its one result has the type of an operand.
  void sameType(unsigned operand);
  /// Builds the op; `hook` computes the results' types.
  void infer(ir::infer::Hook *hook);

  template <typename H> H result(unsigned i) const {
    return H(failed ? poison() : tracer->wrap(results[i]));
  }

private:
  void add(const char *what, const Handle &handle);
  void set(llvm::StringRef attr, mlir::Attribute value);
  void fail(const std::string &message);
  void build(mlir::TypeRange types);
  Handle poison() const;

  const char *name;
  Site site;
  Tracer *tracer = nullptr;
  bool failed = false;
  std::string path; // of the module whose parameter is an operand
  llvm::SmallVector<mlir::Value> values;
  llvm::SmallVector<mlir::NamedAttribute> attributes;
  std::optional<Shape> wantedShape;
  std::optional<DType> wantedType;
  llvm::SmallVector<mlir::Value> results;
};

} // namespace tenon::detail
#endif // TENON_FRONTEND_DSL_OPBUILD_H
