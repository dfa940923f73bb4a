package = "inspectx"
version = "1.2.3-2"
source = { url = "git+https://github.com/example/inspectx.git", tag = "v1.2.3" }
description = {
  summary = "Shows tables",
  detailed = [[ Long text ]],
  homepage = "https://github.com/example/inspectx",
  license = "MIT <http://opensource.org/licenses/MIT>"
}
dependencies = { "lua >= 5.1" }
build = { type = "builtin", modules = { inspectx = "inspectx.lua" } }
