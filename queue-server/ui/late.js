// Says so if the page does not come up: a module that is lost on the way leaves the browser with nothing to run. No
// module itself, and older than the oldest browser that the page is for. app.js marks the page once it runs.

(function () {
  'use strict';
  var PATIENCE_MS = 15000;

  /** @param {string} why */
  function tell(why) {
    var main = document.getElementById('main');
    if (!main || document.documentElement.hasAttribute('data-started')) return;
    var heading = document.createElement('h1');
    heading.textContent = 'The page could not be loaded';
    var words = document.createElement('p');
    words.textContent = why;
    var again = document.createElement('button');
    again.type = 'button';
    again.className = 'primary';
    again.textContent = 'Load it again';
    again.addEventListener('click', function () {
      location.reload();
    });
    var section = document.createElement('section');
    section.className = 'empty';
    section.setAttribute('role', 'alert');
    section.appendChild(heading);
    section.appendChild(words);
    section.appendChild(again);
    main.textContent = '';
    main.appendChild(section);
  }

  // A file that does not come is told of at its element, and what breaks at once is told of at the window.
  addEventListener(
    'error',
    function (event) {
      var from = /** @type {any} */ (event.target);
      if (from && from.tagName === 'SCRIPT')
        tell('A part of it did not come: the server may be away, or another one by now.');
      else if (from === window) tell('A part of it failed: ' + event.message);
    },
    true,
  );
  setTimeout(function () {
    tell('Its parts have not come yet.');
  }, PATIENCE_MS);
})();
