//===- MakeContainerSeeds.cpp - Seeds for ContainerFuzzer -----------------===//
// usage: make_container_seeds FOLDER

#include "runtime/base/Container.h"
#include "tests/runtime/base/SamplePrograms.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace tenon;

namespace {

/// The sample without launches and branches, which the fuzzer does not run.
base::Program straightProgram() {
  base::Program program = base::sampleProgram();
  base::Variant &variant = program.entries[0].variants[0];
  std::vector<base::Expr> zeroAndOne = {base::number(0), base::number(1)};
  variant.body[1] = base::instruction(base::Opcode::Store, {2}, zeroAndOne);
  variant.body[5] =
      base::instruction(base::Opcode::Copy, {6, 2}, {base::number(16)});
  program.parameters[0].element = base::ElementType::I32;
  program.parameters[0].shape = {8, 8};
  variant.buffers[5].sizeBytes = base::number(256);
  base::Variant &prepare = program.entries[1].variants[0];
  prepare.buffers[0].sizeBytes = base::number(256);
  prepare.body[0].exprs[0] = base::number(256);
  return program;
}

void write(const std::filesystem::path &path, char mode,
           const std::string &bytes) {
  std::ofstream file(path, std::ios::binary);
  file << mode << bytes;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  base::Program straight = straightProgram();
  if (Status status = base::verify(straight); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.toString().c_str());
    return 1;
  }
  std::string loop = base::serialise(base::sampleProgram());
  std::string line = base::serialise(straight);
  write(folder / "loop", '\0', loop);
  write(folder / "straight", '\0', line);
  std::string container = (folder / "container.tmp").string();
  Status status = base::writeContainer(
      container, {{base::SectionKind::Program, 0, line.data(), line.size()},
                  {base::SectionKind::Code, 1, "code", 4},
                  {base::SectionKind::Weights, 0, "", 0}});
  std::ifstream file(container, std::ios::binary);
  write(folder / "container", '\1', {std::istreambuf_iterator<char>(file), {}});
  std::filesystem::remove(container);
  return status.ok() ? 0 : 1;
}
