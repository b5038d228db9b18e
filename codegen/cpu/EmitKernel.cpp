//===- EmitKernel.cpp - A kernel's function: which nest a tile is of ------===//

#include "codegen/cpu/Emitter.h"
#include "ir/tn/ExpertPlan.h"
#include "ir/tn/NestRole.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

/// An op's name and, of a product of experts, how it was planned.
std::string describe(Operation &op) {
  std::string name = op.getName().getStringRef().str();
  auto planned = op.getAttrOfType<IntegerAttr>(ir::kRowsTogetherAttr);
  if (!planned)
    return name;
  if (planned.getInt() == 1)
    return name + " (each row alone)";
  return name + " (" + std::to_string(planned.getInt()) + " rows together)";
}

SmallVector<Nest> nestsOf(ir::KernelOp kernel) {
  SmallVector<Nest> nests;
  unsigned result = 0;
  for (auto [number, region] : llvm::enumerate(kernel.getNests())) {
    Nest nest;
    nest.body = &region.front();
    nest.firstResult = result;
    if (ArrayAttr schedules = kernel.getSchedulesAttr())
      nest.schedule = cast<ir::ScheduleAttr>(schedules[number]);
    result += nest.yield()->getNumOperands();
    nests.push_back(nest);
  }
  return nests;
}

ir::NestKind kindOf(const Nest &nest) {
  if (nest.schedule)
    return nest.schedule.getKind();
  for (Operation &op : *nest.body) {
    if (isa<ir::ProductOp>(op))
      return ir::NestKind::Matmul;
    if (ir::nestRole(&op) == ir::NestRole::Attention)
      return ir::NestKind::Attention;
    if (isa<ir::PackOp>(op))
      return ir::NestKind::Pack;
  }
  return ir::NestKind::Rows;
}

Size tilesOf(KernelEmitter &e, const Nest &nest) {
  switch (kindOf(nest)) {
  case ir::NestKind::Rows:
    return rowsTiles(e, nest);
  case ir::NestKind::Matmul:
    return matmulTiles(e, nest);
  case ir::NestKind::Attention:
    return attentionTiles(e, nest);
  case ir::NestKind::Pack:
    return packTiles(e, nest);
  }
  llvm_unreachable("a nest kind");
}

LogicalResult emitNest(KernelEmitter &e, const Nest &nest, Value tile) {
  e.restoreScratch(0); // A tile is of one nest.
  switch (kindOf(nest)) {
  case ir::NestKind::Rows:
    return emitRowsNest(e, nest, tile);
  case ir::NestKind::Matmul:
    return emitMatmulNest(e, nest, tile);
  case ir::NestKind::Attention:
    return emitAttentionNest(e, nest, tile);
  case ir::NestKind::Pack:
    return emitPackNest(e, nest, tile);
  }
  llvm_unreachable("a nest kind");
}

/// Emits the nests in order: a tile below a nest's count is its own, a larger
/// one belongs to a later nest. Returns the tiles of all.
FailureOr<Size> emitNests(KernelEmitter &e, ArrayRef<Nest> nests, Value tile) {
  Size tiles = tilesOf(e, nests.front());
  if (nests.size() == 1) {
    if (failed(emitNest(e, nests.front(), tile)))
      return failure();
    return tiles;
  }
  Value isOwn = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::ult,
                                      tile, tiles.device);
  auto choice = scf::IfOp::create(e.builder, TypeRange(), isOwn,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToStart(choice.thenBlock());
  if (failed(emitNest(e, nests.front(), tile)))
    return failure();
  e.builder.setInsertionPointToStart(choice.elseBlock());
  FailureOr<Size> rest =
      emitNests(e, nests.drop_front(), e.sub(tile, tiles.device));
  if (failed(rest))
    return failure();
  tiles.host = base::Expr::binary(base::Expr::Op::Add, tiles.host, rest->host);
  return tiles;
}

} // namespace

LogicalResult emitKernel(ir::KernelOp kernel, StringRef symbol,
                         ArrayRef<ir::SymbolAttr> symbols,
                         base::CpuFeatures features, ModuleOp into,
                         KernelInfo &info) {
  MLIRContext *context = kernel.getContext();
  context->loadDialect<arith::ArithDialect, scf::SCFDialect, LLVM::LLVMDialect,
                       vector::VectorDialect, mlir::math::MathDialect,
                       func::FuncDialect>();
  auto type = FunctionType::get(
      context,
      {LLVM::LLVMPointerType::get(context), IntegerType::get(context, 32)}, {});
  auto function = func::FuncOp::create(kernel.getLoc(), symbol, type);
  into.push_back(function);

  info = {};
  info.symbol = symbol.str();
  SmallVector<Nest> nests = nestsOf(kernel);
  for (const Nest &nest : nests)
    for (Operation &op : nest.body->without_terminator())
      info.ops.push_back(describe(op));

  KernelEmitter emitter(kernel, symbols, features, function, info);
  emitter.builder.setInsertionPointToEnd(&function.getBody().front());
  Value tile = arith::IndexCastUIOp::create(
      emitter.builder, emitter.builder.getIndexType(), function.getArgument(1));
  FailureOr<Size> tiles = emitNests(emitter, nests, tile);
  if (failed(tiles))
    return failure();
  emitter.builder.setInsertionPointToEnd(&function.getBody().front());
  func::ReturnOp::create(emitter.builder);
  info.tiles = tiles->host;
  return success();
}

} // namespace tenon::codegen::cpu
