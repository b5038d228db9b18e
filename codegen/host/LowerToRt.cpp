//===- LowerToRt.cpp - From functions of kernels to rt --------------------===//

#include "codegen/host/LowerToRt.h"

#include "codegen/host/BodyLowering.h"
#include "ir/tn/ExpertPlan.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;
using namespace tenon::codegen::host;

/// Of an entry that has one variant, the one without bounds.
static constexpr StringLiteral kOneVariant = "tn.one_variant";

LowerToRt::LowerToRt(MLIRContext *context)
    : program(ModuleOp::create(UnknownLoc::get(context))), kernels(*program) {}

namespace {
/// An entry's signature, as it grows.
struct Signature {
  explicit Signature(MLIRContext *context) : builder(context) {}

  void addSymbol(StringRef name, int64_t max);
  void addBatch();
  void add(SmallVectorImpl<Attribute> &list, StringRef name,
           RankedTensorType type) {
    list.push_back(rt::ValueAttr::get(builder.getContext(), name, type));
  }

  Builder builder;
  SmallVector<Attribute> symbols, arguments, results;
};
} // namespace

void Signature::addSymbol(StringRef name, int64_t max) {
  auto isNamed = [&](Attribute symbol) {
    return cast<ir::SymbolAttr>(symbol).getName() == name;
  };
  if (llvm::none_of(symbols, isNamed))
    symbols.push_back(ir::SymbolAttr::get(
        builder.getContext(), builder.getStringAttr(name), 1, max, 1));
}

/// A batch's arguments: i32 [T], [T] and [S, P].
void Signature::addBatch() {
  addSymbol("T", int64_t(1) << 20);
  addSymbol("S", int64_t(1) << 16);
  addSymbol("P", int64_t(1) << 20);
  addSymbol("pageBlocks", int64_t(1) << 20);
  constexpr int64_t kDynamic = ShapedType::kDynamic;
  Type i32 = builder.getI32Type();
  RankedTensorType tokens = ir::tensorOf({kDynamic}, {"T"}, i32);
  add(arguments, "batch.sequence", tokens);
  add(arguments, "batch.position", tokens);
  add(arguments, "batch.pages",
      ir::tensorOf({kDynamic, kDynamic}, {"S", "P"}, i32));
}

static std::string nameOf(DictionaryAttr attributes, Twine otherwise) {
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>("tn.name"))
      return name.str();
  return otherwise.str();
}

LogicalResult LowerToRt::declareEntry(func::FuncOp function) {
  Signature signature(function.getContext());
  if (auto symbols = function->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr))
    llvm::append_range(signature.symbols, symbols);
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    if (function.getArgAttr(i, ir::kStateAttr))
      continue;
    if (isa<ir::BatchType>(type))
      signature.addBatch();
    else if (auto tensor = dyn_cast<RankedTensorType>(type))
      signature.add(signature.arguments,
                    nameOf(function.getArgAttrDict(i),
                           "argument" + Twine(signature.arguments.size())),
                    tensor);
  }
  bool prepares = function.getName() == "prepare";
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    if (auto tensor = dyn_cast<RankedTensorType>(type);
        tensor && !prepares && !function.getResultAttr(i, ir::kStateAttr))
      signature.add(signature.results,
                    nameOf(function.getResultAttrDict(i),
                           "result" + Twine(signature.results.size())),
                    tensor);
  OpBuilder builder = OpBuilder::atBlockEnd(program->getBody());
  auto entry =
      rt::EntryOp::create(builder, function.getLoc(), function.getName(),
                          builder.getArrayAttr(signature.symbols),
                          builder.getArrayAttr(signature.arguments),
                          builder.getArrayAttr(signature.results));
  if (Attribute single = function->getAttr(kOneVariant))
    entry->setAttr(kOneVariant, single);
  entry.getBody().emplaceBlock();
  return verify(entry);
}

LogicalResult LowerToRt::declare(ModuleOp common) {
  if (Attribute metadata = common->getAttr("tn.metadata"))
    module()->setAttr("tn.metadata", metadata);
  for (Operation &op : *common.getBody())
    if (isa<ir::ParameterOp, ir::StateOp>(op))
      program->push_back(op.clone());
  for (auto function : common.getOps<func::FuncOp>())
    if (function.isPublic() && failed(declareEntry(function)))
      return failure();
  return success();
}

/// The bounds of `entry`'s symbols that are narrower than what it declares.
static ArrayAttr boundsOf(rt::EntryOp entry, ArrayRef<ir::SymbolAttr> bounds) {
  SmallVector<Attribute> narrower;
  for (ir::SymbolAttr bound : bounds) {
    int64_t number = entry.symbolNumber(bound.getName());
    if (number < 0)
      continue;
    auto declared = cast<ir::SymbolAttr>(entry.getSymbols()[number]);
    if (bound.getMin() > declared.getMin() ||
        bound.getMax() < declared.getMax())
      narrower.push_back(bound);
  }
  return ArrayAttr::get(entry.getContext(), narrower);
}

/// Whether `entry` needs the variant `spec`, of these bounds of its symbols:
/// some call lies within them, and it has none yet.
static bool wantsVariant(rt::EntryOp entry, ArrayRef<ir::SymbolAttr> spec,
                         ArrayAttr bounds) {
  if (entry->hasAttr(kOneVariant) && !spec.empty())
    return false;
  bool isReachable =
      llvm::all_of(bounds.getAsRange<ir::SymbolAttr>(), [&](auto bound) {
        auto declared = cast<ir::SymbolAttr>(
            entry.getSymbols()[entry.symbolNumber(bound.getName())]);
        return bound.getMin() <= declared.getMax() &&
               bound.getMax() >= declared.getMin();
      });
  auto variants = entry.getBody().front().getOps<rt::VariantOp>();
  return isReachable && llvm::none_of(variants, [&](rt::VariantOp variant) {
           return variant.getBounds() == bounds;
         });
}

void LowerToRt::dropUnwanted(ModuleOp source, ArrayRef<ir::SymbolAttr> bounds) {
  for (auto entry : module().getOps<rt::EntryOp>())
    if (!wantsVariant(entry, bounds, boundsOf(entry, bounds)))
      source.lookupSymbol(entry.getSymName())->erase();
  bool dropped = true;
  while (std::exchange(dropped, false))
    for (auto function :
         llvm::make_early_inc_range(source.getOps<func::FuncOp>()))
      if (function.isPrivate() &&
          SymbolTable::symbolKnownUseEmpty(function, source)) {
        function.erase();
        dropped = true;
      }
}

LogicalResult LowerToRt::addVariant(ModuleOp source, StringRef name,
                                    ArrayRef<ir::SymbolAttr> bounds) {
  kernels.forgetOps(); // of the module before
  if (Attribute counter = source->getAttr(ir::kCountProductsAttr))
    module()->setAttr(ir::kCountProductsAttr, counter);
  for (auto entry : module().getOps<rt::EntryOp>()) {
    ArrayAttr narrower = boundsOf(entry, bounds);
    Block &variants = entry.getBody().front();
    if (!wantsVariant(entry, bounds, narrower))
      continue;
    OpBuilder builder = OpBuilder::atBlockEnd(&variants);
    auto function = source.lookupSymbol<func::FuncOp>(entry.getSymName());
    auto variant = rt::VariantOp::create(builder, function.getLoc(),
                                         builder.getStringAttr(name), narrower);
    if (failed(BodyLowering(variant, kernels, source).lower(function)))
      return failure();
  }
  return verify(module());
}

namespace {
struct TnToRt : PassWrapper<TnToRt, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TnToRt)

  StringRef getArgument() const override { return "tn-to-rt"; }
  StringRef getDescription() const override {
    return "Turns functions of tn.kernel into rt entries of one variant";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<rt::RtDialect>();
  }

  void runOnOperation() override {
    LowerToRt lowering(&getContext());
    if (failed(lowering.declare(getOperation())) ||
        failed(lowering.addVariant(getOperation(), "any", {})))
      return signalPassFailure();
    getOperation().getBodyRegion().takeBody(lowering.module().getBodyRegion());
  }
};
} // namespace

void host::registerPasses() { PassRegistration<TnToRt>(); }
