//===- DslGen.cpp - Writes the DSL's functions from the dialect -----------===//
//
//   tenon-dslgen -gen-dsl-decls ir/tn/Tn.td -I ... -o Ops.h.inc
//   tenon-dslgen -gen-dsl-defs ir/tn/Tn.td -I ... -o Ops.cpp.inc
//
// One C++ function for each op whose `dslName` is not empty. Operands become
// tensors, attributes typed parameters; parameters with defaults go last, then
// the caller's source location. The result's type is an operand's where the op
// says so (AllTypesMatch), otherwise `ir::infer::<name>` computes it.
//
//===----------------------------------------------------------------------===//

#include "mlir/TableGen/Attribute.h"
#include "mlir/TableGen/EnumInfo.h"
#include "mlir/TableGen/Operator.h"
#include "mlir/TableGen/Trait.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/TableGen/Error.h"
#include "llvm/TableGen/Main.h"
#include "llvm/TableGen/Record.h"

#include <string>

namespace {
using namespace llvm;
using mlir::tblgen::NamedAttribute;
using mlir::tblgen::NamedTypeConstraint;
using mlir::tblgen::Operator;

enum class Action { Declarations, Definitions };

cl::opt<Action>
    action(cl::desc("What to write:"), cl::Required,
           cl::values(clEnumValN(Action::Declarations, "gen-dsl-decls",
                                 "the DSL's functions"),
                      clEnumValN(Action::Definitions, "gen-dsl-defs",
                                 "their definitions")));

constexpr StringLiteral kSite = "Site site = std::source_location::current()";

//===----------------------------------------------------------------------===//
// What a function looks like
//===----------------------------------------------------------------------===//

/// One parameter and the statement that hands it to the op being built.
struct Parameter {
  std::string type;
  std::string name;
  std::string byDefault; // empty: none
  std::string statement;
};

struct Function {
  std::string name;
  std::string mnemonic;
  std::string resultType;
  SmallVector<Parameter> parameters;
  SmallVector<std::string> statements; // in the order of the op's arguments
};

std::string camelBack(StringRef snake) {
  return convertToCamelFromSnakeCase(snake, /*capitalizeFirst=*/false);
}

/// The DSL's handle for a value of this constraint.
StringRef handleType(const NamedTypeConstraint &value) {
  StringRef constraint = value.constraint.getDefName();
  if (constraint == "Tn_BatchType")
    return "Batch";
  if (constraint == "Tn_CacheType")
    return "Cache";
  return "Tensor";
}

Parameter operandParameter(const NamedTypeConstraint &operand) {
  std::string name = camelBack(operand.name);
  std::string call = operand.isOptional() ? "optional" : "operand";
  std::string type = ("const " + handleType(operand) + " &").str();
  if (operand.isVariadic() && !operand.isOptional()) {
    call = "operands";
    type = "const std::vector<Tensor> &";
  }
  std::string absent = (handleType(operand) + "()").str();
  return {type, name, operand.isOptional() ? absent : "",
          "op." + call + "(\"" + name + "\", " + name + ");"};
}

/// Why the attribute's kind has no C++ type is the build's error, not a guess.
Parameter attributeParameter(const Record &op, const NamedAttribute &named) {
  mlir::tblgen::Attribute attr = named.attr;
  mlir::tblgen::Attribute base = attr.getBaseAttr();
  std::string name = camelBack(named.name);
  std::string byDefault =
      attr.hasDefaultValue() ? attr.getDefaultValue().str() : "";
  StringRef kind = base.getAttrDefName();
  std::string value = name, type;
  if (base.isEnumAttr()) {
    type = mlir::tblgen::EnumInfo(base.getDef()).getEnumClassName().str();
    value = "static_cast<int32_t>(" + name + ")";
  } else if (kind == "F64Attr") {
    type = "double";
  } else if (kind == "I64Attr") {
    type = "int64_t";
  } else if (kind == "UnitAttr") {
    type = "bool";
    byDefault = "false";
  } else if (kind == "DenseI64ArrayAttr") {
    type = "const std::vector<int64_t> &";
  } else {
    PrintFatalError(op.getLoc(), "the DSL has no C++ type for attribute '" +
                                     named.name + "' of " + kind +
                                     "; teach ir/gen/DslGen.cpp");
  }
  return {type, name, byDefault,
          ("op.attribute(\"" + named.name + "\", " + value + ");").str()};
}

/// Tensor, Cache, or a struct of the results' names.
std::string resultType(const Operator &op, StringRef dslName) {
  if (op.getNumResults() == 1)
    return handleType(op.getResult(0)).str();
  return convertToCamelFromSnakeCase(dslName, /*capitalizeFirst=*/true) +
         "Result";
}

Function describe(const Operator &op) {
  const Record &def = op.getDef();
  std::string operation = op.getOperationName();
  StringRef mnemonic = StringRef(operation).split('.').second;
  StringRef dslName = def.getValueAsString("dslName");
  Function function{
      camelBack(dslName), mnemonic.str(), resultType(op, dslName), {}, {}};
  SmallVector<Parameter> attributes;
  for (const NamedTypeConstraint &operand : op.getOperands())
    function.parameters.push_back(operandParameter(operand));
  for (const NamedAttribute &attr : op.getAttributes())
    if (!attr.attr.isDerivedAttr())
      attributes.push_back(attributeParameter(def, attr));
  StringRef told = def.getValueAsString("dslResult");
  if (told == "shape")
    attributes.push_back({"const Shape &", "shape", "", "op.shape(shape);"});
  if (told == "dtype")
    attributes.push_back({"DType", "dtype", "", "op.dtype(dtype);"});
  // Attributes need a context, which the operands bring: so they come second.
  llvm::append_range(function.parameters, attributes);
  for (const Parameter &parameter : function.parameters)
    function.statements.push_back(parameter.statement);
  llvm::stable_sort(function.parameters,
                    [](const Parameter &a, const Parameter &b) {
                      return a.byDefault.empty() && !b.byDefault.empty();
                    });
  return function;
}

/// The number of the operand whose type the result has; -1 if it is inferred.
int sameTypeOperand(const Operator &op) {
  if (op.getNumResults() != 1)
    return -1;
  for (const mlir::tblgen::Trait &trait : op.getTraits()) {
    if (!trait.getDef().isSubClassOf("AllMatchSameOperatorTrait"))
      continue;
    std::vector<StringRef> names =
        trait.getDef().getValueAsListOfStrings("values");
    if (!llvm::is_contained(names, op.getResultName(0)))
      continue;
    for (int i = 0; i < op.getNumOperands(); ++i)
      if (llvm::is_contained(names, op.getOperand(i).name))
        return i;
  }
  return -1;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

void printComment(raw_ostream &os, StringRef text) {
  SmallVector<StringRef> lines;
  text.rtrim().split(lines, '\n');
  for (StringRef line : lines)
    os << "///" << (line.empty() ? "" : " ") << line.rtrim() << "\n";
}

/// Removes the indentation that the .td file gives a description.
std::string dedent(StringRef text) {
  SmallVector<StringRef> lines;
  text.ltrim('\n').rtrim().split(lines, '\n');
  size_t indent = StringRef::npos;
  for (StringRef line : lines)
    if (!line.trim().empty())
      indent = std::min(indent, line.size() - line.ltrim(' ').size());
  std::string out;
  for (StringRef line : lines)
    out += line.drop_front(std::min(indent, line.size())).str() + "\n";
  return out;
}

void printSignature(raw_ostream &os, const Function &function, bool defaults) {
  os << function.resultType << " " << function.name << "(";
  for (const Parameter &parameter : function.parameters) {
    os << parameter.type
       << (StringRef(parameter.type).ends_with("&") ? "" : " ")
       << parameter.name;
    if (defaults && !parameter.byDefault.empty())
      os << " = " << parameter.byDefault;
    os << ",\n    ";
  }
  os << (defaults ? kSite : StringLiteral("Site site")) << ")";
}

void printEnum(raw_ostream &os, const Record &def, StringSet<> &seen) {
  mlir::tblgen::EnumInfo info(def);
  if (!seen.insert(info.getEnumClassName()).second)
    return;
  printComment(os, info.getSummary());
  os << "enum class " << info.getEnumClassName() << " {\n";
  for (const mlir::tblgen::EnumCase &enumCase : info.getAllCases())
    os << "  " << enumCase.getSymbol() << " = " << enumCase.getValue() << ",\n";
  os << "};\n\n";
}

void printEnums(raw_ostream &os, const Operator &op, StringSet<> &seen) {
  for (const NamedAttribute &attr : op.getAttributes())
    if (attr.attr.getBaseAttr().isEnumAttr())
      printEnum(os, attr.attr.getBaseAttr().getDef(), seen);
}

void printDeclaration(raw_ostream &os, const Operator &op) {
  Function function = describe(op);
  if (op.getNumResults() > 1) {
    os << "/// What `" << function.name << "` returns.\n";
    os << "struct " << function.resultType << " {\n";
    for (const NamedTypeConstraint &result : op.getResults())
      os << "  " << handleType(result) << " " << camelBack(result.name)
         << ";\n";
    os << "};\n\n";
  }
  printComment(os, op.hasSummary() ? op.getSummary() : "");
  if (op.hasDescription()) {
    os << "///\n";
    printComment(os, dedent(op.getDescription()));
  }
  printSignature(os, function, /*defaults=*/true);
  os << ";\n\n";
}

void printDefinition(raw_ostream &os, const Operator &op) {
  Function function = describe(op);
  printSignature(os, function, /*defaults=*/false);
  os << " {\n  detail::OpBuild op(\"" << function.mnemonic << "\", site);\n";
  for (StringRef statement : function.statements)
    os << "  " << statement << "\n";
  if (int same = sameTypeOperand(op); same >= 0)
    os << "  op.sameType(" << same << ");\n";
  else
    os << "  op.infer(ir::infer::" << camelBack(function.mnemonic) << ");\n";
  os << "  return {";
  for (int i = 0; i < op.getNumResults(); ++i)
    os << (i ? ", " : "") << "op.result<" << handleType(op.getResult(i)) << ">("
       << i << ")";
  os << "};\n}\n\n";
}

bool writeFunctions(raw_ostream &os, const RecordKeeper &records) {
  os << "// Generated by ir/gen/DslGen.cpp from ir/tn/Tn.td.\n\n";
  StringSet<> enums;
  for (const Record *def : records.getAllDerivedDefinitions("Tn_Op")) {
    if (def->getValueAsString("dslName").empty())
      continue;
    Operator op(*def);
    if (action == Action::Definitions) {
      printDefinition(os, op);
      continue;
    }
    printEnums(os, op, enums);
    printDeclaration(os, op);
  }
  return false;
}
} // namespace

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv);
  return TableGenMain(argv[0], &writeFunctions);
}
