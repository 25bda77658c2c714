(function () {
  "use strict";
  var key = "dokja-edition";
  var inputs = document.querySelectorAll("input[name=edition]");
  function stored() {
    try { return localStorage.getItem(key); } catch (refused) { return null; }
  }
  function show(edition) {
    inputs.forEach(function (input) { input.checked = input.value === edition; });
    document.documentElement.lang = edition === "en" ? "en" : "ko";
  }
  function asked() {
    var fragment = location.hash.slice(1);
    var query = new URLSearchParams(location.search).get("lang");
    var ending = /(?:^|-)(ko|en)$/.exec(fragment);
    return ending ? ending[1] : query || stored();
  }
  function follow() {
    var edition = asked();
    if (edition === "ko" || edition === "en" || edition === "both") { show(edition); }
    var target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target) { target.scrollIntoView(); }
  }
  inputs.forEach(function (input) {
    input.addEventListener("change", function () {
      show(input.value);
      try { localStorage.setItem(key, input.value); } catch (refused) { return; }
    });
  });
  addEventListener("hashchange", function () {
    var both = document.getElementById("choose-both").checked;
    if (!both) { follow(); }
  });
  follow();
}());
