"""The seven pages. Each module has `build(workshop, t)` -> what to run when the page is opened."""
