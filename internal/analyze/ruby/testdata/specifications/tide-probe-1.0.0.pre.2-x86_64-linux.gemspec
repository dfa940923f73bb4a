# -*- encoding: utf-8 -*-
# stub: tide-probe 1.0.0.pre.2 x86_64-linux lib

Gem::Specification.new do |s|
  s.name = "tide-probe".freeze
  s.version = "1.0.0.pre.2"
  s.platform = Gem::Platform.new(["x86_64", "linux", nil])

  s.required_rubygems_version = Gem::Requirement.new("> 1.3.1".freeze) if s.respond_to? :required_rubygems_version=
  s.require_paths = ["lib".freeze]
  s.authors = ["Zo\u00EB \u{1F600} \"Q\" \\ \#{x}".freeze, "B, C".freeze]
  s.date = "2026-11-21"
  s.description = "d".freeze
  s.homepage = "https://example.org/a#b".freeze
  s.licenses = ["MIT".freeze, "Apache-2.0".freeze]
  s.rubygems_version = "3.3.15".freeze
  s.summary = "A \"probe\" of two lines".freeze

  if s.respond_to? :specification_version then
    s.specification_version = 4
  end

  if s.respond_to? :add_runtime_dependency then
    s.add_runtime_dependency(%q<rake>.freeze, [">= 1", "< 20"])
    s.add_development_dependency(%q<rspec>.freeze, [">= 0"])
    s.add_runtime_dependency(%q<my_gem.x>.freeze, [">= 0"])
  else
    s.add_dependency(%q<rake>.freeze, [">= 1", "< 20"])
    s.add_dependency(%q<rspec>.freeze, [">= 0"])
    s.add_dependency(%q<my_gem.x>.freeze, [">= 0"])
  end
end
