"""The pages: server-rendered, live by polling, usable without JavaScript. A module a page (design/ui.md)."""
