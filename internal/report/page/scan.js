"use strict";
(function () {
  var table = document.getElementById("findings");
  var tools = document.getElementById("tools");
  if (!table || !tools) { return; }
  tools.hidden = false;
  var bodies = Array.prototype.slice.call(table.tBodies);
  var words = document.getElementById("words");
  var fixable = document.getElementById("fixable");
  var shown = document.getElementById("shown");
  var levels = Array.prototype.slice.call(tools.querySelectorAll("[data-level]"));
  function filter() {
    var want = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    var off = {};
    levels.forEach(function (b) { if (!b.checked) { off[b.dataset.level] = true; } });
    var n = 0;
    bodies.forEach(function (b) {
      var text = b.dataset.words.toLowerCase();
      var hide = off[b.dataset.level] || fixable.checked && b.dataset.fix === "" ||
        !want.every(function (w) { return text.indexOf(w) >= 0; });
      b.hidden = !!hide;
      if (!hide) { n++; }
    });
    shown.textContent = n + " of " + bodies.length + " shown";
  }
  words.addEventListener("input", filter);
  fixable.addEventListener("change", filter);
  levels.forEach(function (b) { b.addEventListener("change", filter); });
  var all = document.getElementById("all");
  all.addEventListener("click", function () {
    var open = all.getAttribute("aria-pressed") !== "true";
    all.setAttribute("aria-pressed", String(open));
    all.textContent = open ? "Close all" : "Open all";
    table.querySelectorAll("details").forEach(function (d) { d.open = open; });
  });
  table.querySelectorAll("th[data-key]").forEach(function (th) {
    var button = document.createElement("button");
    button.type = "button";
    while (th.firstChild) { button.appendChild(th.firstChild); }
    th.appendChild(button);
    button.addEventListener("click", function () {
      var key = th.dataset.key, down = th.dataset.number !== undefined;
      if (th.getAttribute("aria-sort")) { down = th.getAttribute("aria-sort") === "ascending"; }
      table.querySelectorAll("th[aria-sort]").forEach(function (o) { o.removeAttribute("aria-sort"); });
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      bodies.sort(function (a, b) {
        var x = a.dataset[key], y = b.dataset[key];
        var d = th.dataset.number !== undefined ? Number(x) - Number(y) : x.localeCompare(y);
        return (down ? -d : d) || Number(a.dataset.order) - Number(b.dataset.order);
      });
      bodies.forEach(function (b) { table.appendChild(b); });
    });
  });
  filter();
}());
