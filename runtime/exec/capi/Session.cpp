//===- Session.cpp - tenon/session.h --------------------------------------===//

#include "tenon/session.h"
#include "runtime/exec/capi/Handles.h"

using namespace tenon;

namespace {

exec::ModelOptions modelOptions(const tenon_session_options_t &options) {
  exec::ModelOptions result;
  if (options.device)
    result.device = options.device->device;
  if (options.weights_path)
    result.weightsPath = options.weights_path;
  auto set = [](int64_t &field, int64_t value) {
    field = value ? value : field;
  };
  set(result.decoder.contextTokens, options.context_tokens);
  set(result.decoder.sequences, options.sequences);
  set(result.decoder.chunkTokens, options.chunk_tokens);
  set(result.decoder.pageBlocks, options.page_blocks);
  set(result.decoder.drafts, options.drafts);
  for (size_t i = 0; i < options.limit_count; ++i)
    result.limits.push_back({options.limits[i].symbol, options.limits[i].most});
  return result;
}

template <typename View> View viewOf(const tenon_tensor_t &tensor) {
  View view;
  view.data = tensor.data;
  view.element = static_cast<base::ElementType>(tensor.element);
  view.shape = {tensor.shape, tensor.rank};
  return view;
}

static_assert(TENON_BOOL == static_cast<int>(base::ElementType::Bool) &&
              TENON_BF16 == static_cast<int>(base::ElementType::BF16));

Status checkElements(const tenon_tensor_t *tensors, size_t count) {
  for (size_t i = 0; i < count; ++i)
    if (tensors[i].element < TENON_F32 || tensors[i].element > TENON_BOOL)
      return invalidArgument("tensor ", i, " expects an element type in [",
                             TENON_F32, ", ", TENON_BOOL, "], got ",
                             tensors[i].element);
  return Status();
}

} // namespace

tenon_status_t tenon_session_open(tenon_program_t *program,
                                  const tenon_session_options_t *given,
                                  tenon_session_t **outSession) {
  *outSession = nullptr;
  exec::ModelOptions options =
      modelOptions(exec::readOptions(given, TENON_SESSION_OPTIONS_INIT));
  auto model = exec::TextModel::open(program->program, program->path, options);
  if (!model.ok())
    return toC(model.status());
  *outSession = new tenon_session();
  (*outSession)->model = *std::move(model);
  return nullptr;
}

void tenon_session_close(tenon_session_t *session) { delete session; }

tenon_status_t tenon_session_call(tenon_session_t *session, const char *entry,
                                  const tenon_tensor_t *arguments,
                                  size_t argumentCount,
                                  const tenon_tensor_t *results,
                                  size_t resultCount) {
  Status checked = checkElements(arguments, argumentCount);
  if (checked.ok())
    checked = checkElements(results, resultCount);
  if (!checked.ok())
    return toC(std::move(checked));
  std::vector<exec::TensorView> in;
  for (size_t i = 0; i < argumentCount; ++i)
    in.push_back(viewOf<exec::TensorView>(arguments[i]));
  std::vector<exec::MutableTensorView> out;
  for (size_t i = 0; i < resultCount; ++i)
    out.push_back(viewOf<exec::MutableTensorView>(results[i]));
  return toC(session->model->session().call(entry, in, out));
}

void tenon_session_cancel(tenon_session_t *session) {
  session->model->session().cancel();
}

void tenon_session_resume(tenon_session_t *session) {
  session->model->session().resume();
}

void tenon_session_get_stats(const tenon_session_t *session,
                             tenon_session_stats_t *out) {
  exec::SessionStats stats = session->model->session().stats();
  tenon_session_stats_t result = {};
  result.arena_bytes = stats.arenaBytes;
  result.prepared_bytes = stats.preparedBytes;
  result.state_bytes = stats.stateBytes;
  result.scratch_bytes = stats.scratchBytes;
  result.launches_of_last_call = stats.launchesOfLastCall;
  exec::writeStruct(result, out);
}

void tenon_session_trace_start(tenon_session_t *session) {
  session->trace = exec::Trace();
  session->tracing = true;
  session->model->session().setTrace(&session->trace);
}

tenon_status_t tenon_session_trace_write(tenon_session_t *session,
                                         const char *path) {
  if (!session->tracing)
    return toC(invalidArgument("expects a trace that was started"));
  session->tracing = false;
  session->model->session().setTrace(nullptr);
  return toC(session->trace.write(path));
}
