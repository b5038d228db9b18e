//===- TempFolder.h - A folder that goes with its test --------------------===//

#ifndef TENON_TESTS_SUPPORT_TEMPFOLDER_H
#define TENON_TESTS_SUPPORT_TEMPFOLDER_H

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace tenon::tests {

/// Owns: a fresh folder, removed with all it holds when this goes.
class TempFolder {
public:
  TempFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "tenon-test-XXXXXX").string();
    root = ::mkdtemp(name.data());
  }
  TempFolder(const TempFolder &) = delete;
  TempFolder &operator=(const TempFolder &) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
  }

  std::string path() const { return root.string(); }
  std::string path(std::string_view name) const {
    return (root / name).string();
  }

  /// Writes a file and returns its path.
  std::string add(std::string_view name, std::string_view content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

private:
  std::filesystem::path root;
};

} // namespace tenon::tests

#endif // TENON_TESTS_SUPPORT_TEMPFOLDER_H
