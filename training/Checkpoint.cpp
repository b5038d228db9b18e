//===- Checkpoint.cpp - A run that can go on ------------------------------===//

#include "training/Checkpoint.h"

#include "runtime/exec/AdapterSet.h"
#include "runtime/io/Json.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/SafetensorsWriter.h"
#include "runtime/io/WeightsFile.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace tenon::training {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kPartial = ".partial-";
constexpr const char *kWeights = "model.safetensors";
constexpr const char *kVariables = "optimizer.safetensors";
constexpr const char *kInfo = "training.json";

std::string nameOf(int64_t step) {
  std::string digits = std::to_string(step);
  size_t zeros = digits.size() < 8 ? 8 - digits.size() : 0;
  return std::string(kPrefix) + std::string(zeros, '0') + digits;
}

/// The checkpoints of a folder, oldest first.
std::vector<fs::path> checkpointsIn(const std::string &folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry &entry :
       fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix))
      found.push_back(entry.path());
    if (name.starts_with(kPartial))
      fs::remove_all(entry.path(), error);
  }
  std::ranges::sort(found, [](const fs::path &a, const fs::path &b) {
    std::string x = a.filename().string(), y = b.filename().string();
    return std::pair(x.size(), x) < std::pair(y.size(), y);
  });
  return found;
}

Status failed(const fs::path &path, const char *what) {
  return unavailable("expects to ", what, " '", path.string(),
                     "', got: ", std::strerror(errno));
}

/// Hands a file's or folder's bytes to the disk.
Status synchronise(const fs::path &path) {
  int file = ::open(path.c_str(), O_RDONLY);
  if (file < 0)
    return failed(path, "open");
  bool isDone = ::fsync(file) == 0;
  ::close(file);
  return isDone ? Status() : failed(path, "synchronise");
}

Status writeText(const fs::path &path, const std::string &text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? synchronise(path) : failed(path, "write");
}

// The adapter's name in a set of one.
constexpr const char *kAdapter = "trained";

bool hasAdapters(const exec::Session &session) {
  return std::ranges::any_of(session.program().program().states,
                             exec::isAdapterWeight);
}

/// The session's tensors that live across calls: the weights, or the others.
StatusOr<std::vector<io::SafetensorsTensor>> tensorsOf(exec::Session &session,
                                                       bool areWeights) {
  std::vector<io::SafetensorsTensor> tensors;
  for (const base::State &state : session.program().program().states) {
    if (!state.isTensor() || state.source.empty() == areWeights)
      continue;
    TENON_ASSIGN_OR_RETURN(exec::MutableTensorView view,
                           session.state(state.name));
    int64_t count = 1;
    for (int64_t extent : state.shape)
      count *= extent;
    TENON_ASSIGN_OR_RETURN(int64_t bytes,
                           base::sizeBytes(state.element, count));
    tensors.push_back({areWeights ? state.source : state.name,
                       state.element,
                       state.shape,
                       {static_cast<const uint8_t *>(view.data),
                        static_cast<size_t>(bytes)}});
  }
  return tensors;
}

Status writeAdapter(exec::Session &session, const fs::path &folder) {
  TENON_ASSIGN_OR_RETURN(exec::AdapterSet adapters,
                         exec::AdapterSet::create(session.program().program()));
  TENON_RETURN_IF_ERROR(adapters.keep(kAdapter, session));
  return adapters.save(kAdapter, folder.string());
}

Status readAdapter(exec::Session &session, const std::string &path) {
  TENON_ASSIGN_OR_RETURN(exec::AdapterSet adapters,
                         exec::AdapterSet::create(session.program().program()));
  TENON_RETURN_IF_ERROR(adapters.load(kAdapter, path));
  return adapters.use(session, kAdapter);
}

Status writeFiles(exec::Session &session, const fs::path &folder,
                  const CheckpointInfo &info,
                  const std::vector<std::string> &files) {
  std::error_code error;
  for (const std::string &file : files) {
    fs::path copy = folder / fs::path(file).filename();
    if (!fs::copy_file(file, copy, error))
      return unavailable("expects to copy '", file, "' to '", copy.string(),
                         "', got: ", error.message());
    TENON_RETURN_IF_ERROR(synchronise(copy));
  }
  if (hasAdapters(session))
    TENON_RETURN_IF_ERROR(writeAdapter(session, folder));
  for (bool areWeights : {true, false}) {
    TENON_ASSIGN_OR_RETURN(std::vector<io::SafetensorsTensor> tensors,
                           tensorsOf(session, areWeights));
    if (areWeights && hasAdapters(session))
      continue;
    TENON_RETURN_IF_ERROR(
        io::writeSafetensors(folder / (areWeights ? kWeights : kVariables),
                             tensors, {{"format", "pt"}}));
  }
  io::Json json = {{"step", info.step},
                   {"order", info.order},
                   {"loss_scale", info.lossScale}};
  TENON_RETURN_IF_ERROR(writeText(folder / kInfo, json.dump(2) + "\n"));
  return synchronise(folder);
}

/// Copies a file's tensor into the session's.
Status restore(exec::Session &session, const base::State &state,
               const io::WeightsFile &file) {
  const std::string &name = state.source.empty() ? state.name : state.source;
  const io::TensorEntry *found = file.find(name);
  if (!found || found->type != state.element || found->shape != state.shape)
    return invalidArgument(
        file.path(), ": expects a checkpoint of this model and recipe, with '",
        name, "' of ", base::info(state.element).name, " ",
        io::printShape(state.shape), ", got ",
        found ? concat(base::info(found->type).name, " ",
                       io::printShape(found->shape))
              : "none");
  TENON_ASSIGN_OR_RETURN(exec::MutableTensorView view,
                         session.state(state.name));
  std::memcpy(view.data, found->data.data(), found->data.size());
  return Status();
}

StatusOr<CheckpointInfo> readInfo(const std::string &path) {
  TENON_ASSIGN_OR_RETURN(std::string text, io::readFile(path, 1 << 20));
  TENON_ASSIGN_OR_RETURN(io::Json json, io::parseJson(text, path));
  CheckpointInfo info;
  const io::Json *scale = io::findMember(json, "loss_scale");
  const std::string *order = io::textOf(io::findMember(json, "order"));
  if (!io::readInt(io::findMember(json, "step"), 0, INT64_MAX, info.step) ||
      !order || !scale || !scale->is_number())
    return dataLoss(path, ": expects step, order and loss_scale");
  info.order = *order;
  info.lossScale = *scale->get_ptr<const double *>();
  return info;
}

} // namespace

StatusOr<std::string> writeCheckpoint(exec::Session &session,
                                      const std::string &folder,
                                      const CheckpointInfo &info,
                                      const std::vector<std::string> &files,
                                      int64_t keep) {
  std::string name = nameOf(info.step);
  fs::path partial = fs::path(folder) / (std::string(kPartial) + name);
  fs::path whole = fs::path(folder) / name;
  std::error_code error;
  fs::remove_all(partial, error);
  fs::create_directories(partial, error);
  if (error)
    return unavailable("expects to make '", partial.string(),
                       "', got: ", error.message());
  Status status = writeFiles(session, partial, info, files);
  if (status.ok()) {
    fs::remove_all(whole, error); // of the same step, after one went back
    fs::rename(partial, whole, error);
    status = error ? unavailable("expects to rename '", partial.string(),
                                 "', got: ", error.message())
                   : synchronise(folder);
  }
  if (!status.ok()) {
    fs::remove_all(partial, error);
    return status.withContext("checkpoint of step " +
                              std::to_string(info.step));
  }
  std::vector<fs::path> all = checkpointsIn(folder);
  for (int64_t i = 0; i + keep < std::ssize(all); ++i)
    fs::remove_all(all[i], error);
  return whole.string();
}

std::optional<std::string> newestCheckpoint(const std::string &folder) {
  std::vector<fs::path> all = checkpointsIn(folder);
  if (all.empty())
    return std::nullopt;
  return all.back().string();
}

StatusOr<CheckpointInfo> readCheckpoint(exec::Session &session,
                                        const std::string &path) {
  TENON_ASSIGN_OR_RETURN(CheckpointInfo info,
                         readInfo((fs::path(path) / kInfo).string()));
  auto openFile = [&](const char *name) {
    return io::WeightsFile::open((fs::path(path) / name).string());
  };
  auto restoreFrom = [&](const io::WeightsFile &file, bool areWeights) {
    for (const base::State &state : session.program().program().states)
      if (state.isTensor() && state.source.empty() != areWeights)
        TENON_RETURN_IF_ERROR(restore(session, state, file));
    return Status();
  };
  TENON_ASSIGN_OR_RETURN(io::WeightsFile variables, openFile(kVariables));
  TENON_RETURN_IF_ERROR(restoreFrom(variables, /*areWeights=*/false));
  if (hasAdapters(session)) {
    TENON_RETURN_IF_ERROR(readAdapter(session, path));
    return info;
  }
  TENON_ASSIGN_OR_RETURN(io::WeightsFile weights, openFile(kWeights));
  TENON_RETURN_IF_ERROR(restoreFrom(weights, /*areWeights=*/true));
  return info;
}

} // namespace tenon::training
