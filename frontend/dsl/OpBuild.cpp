//===- OpBuild.cpp - Builds one op from handles ---------------------------===//

#include "frontend/dsl/OpBuild.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace tenon::detail {
namespace {

/// Notes an error of a parameter or cache that is used outside of a trace.
void noteUntraced(const char *name, const Handle &handle, Site site) {
  ModuleTree *tree = handle.parameter ? handle.parameter->tree
                     : handle.state   ? handle.state->tree
                                      : nullptr;
  if (tree)
    tree->error(site, std::string(name) + " expects to be called while the "
                                          "entries of its model are traced");
}
} // namespace

void OpBuild::add(const char *what, const Handle &handle) {
  Tracer *its = tracerOf(handle);
  if (!tracer)
    tracer = its;
  if (handle.poisoned) {
    failed = true;
    return;
  }
  if (handle.isAbsent())
    return fail("expects a tensor for '" + std::string(what) + "', got none");
  if (!its) {
    noteUntraced(name, handle, site);
    failed = true;
    return;
  }
  if (its != tracer)
    return fail("expects tensors of one model, got '" + std::string(what) +
                "' of another");
  Value value = its->resolve(handle, site);
  if (handle.parameter && path.empty())
    path = handle.parameter->module;
  if (!value)
    failed = true;
  values.push_back(value);
}

void OpBuild::set(StringRef attr, Attribute value) {
  attributes.emplace_back(StringAttr::get(value.getContext(), attr), value);
}

void OpBuild::attribute(StringRef attr, double value) {
  if (tracer)
    set(attr, tracer->builder().getF64FloatAttr(value));
}

void OpBuild::attribute(StringRef attr, int64_t value) {
  if (tracer)
    set(attr, tracer->builder().getI64IntegerAttr(value));
}

void OpBuild::attribute(StringRef attr, int32_t value) {
  if (tracer)
    set(attr, tracer->builder().getI32IntegerAttr(value));
}

void OpBuild::attribute(StringRef attr, bool value) {
  if (tracer && value)
    set(attr, tracer->builder().getUnitAttr());
}

void OpBuild::attribute(StringRef attr, const std::vector<int64_t> &value) {
  if (tracer)
    set(attr, tracer->builder().getDenseI64ArrayAttr(value));
}

void OpBuild::fail(const std::string &message) {
  failed = true;
  if (tracer)
    tracer->error(site, std::string(name) + " " + message);
}

Handle OpBuild::poison() const {
  Handle handle;
  handle.tracer = tracer;
  handle.poisoned = true;
  return handle;
}

void OpBuild::sameType(unsigned operand) {
  if (!tracer)
    failed = true;
  if (!failed)
    build(values[operand].getType());
}

void OpBuild::infer(ir::infer::Hook *hook) {
  if (!tracer)
    failed = true;
  if (failed)
    return;
  Location loc = tracer->location(site, path);
  ir::infer::Request request;
  SmallVector<Type> operandTypes(ValueRange(values).getTypes());
  request.operands = operandTypes;
  request.attributes = tracer->builder().getDictionaryAttr(attributes);
  request.error = [&] { return emitError(loc); };
  if (wantedType)
    request.element = tracer->elementType(*wantedType);
  if (wantedShape) {
    for (const Dim &dim : *wantedShape) {
      request.shape.push_back(dim.isSymbol() ? ShapedType::kDynamic
                                             : dim.extent());
      request.symbols.push_back(dim.name());
    }
  }
  SmallVector<Type> types;
  if (mlir::failed(hook(request, types)))
    return fail(tracer->takeDiagnostics());
  build(types);
}

// The op's own verifier judges it, so that the DSL repeats none of its rules.
void OpBuild::build(TypeRange types) {
  Location loc = tracer->location(site, path);
  OperationState state(loc, ("tn." + llvm::StringRef(name)).str(), values,
                       types, attributes);
  Operation *op = tracer->builder().create(state);
  if (mlir::failed(verify(op, /*verifyRecursively=*/false))) {
    op->erase();
    return fail(tracer->takeDiagnostics());
  }
  llvm::append_range(results, op->getResults());
}

} // namespace tenon::detail
