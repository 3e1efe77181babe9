// Before the first paint, so that a page never flashes in the other theme.
try {
  const theme = localStorage.getItem('paceboard.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be refused; the system's theme is used then.
}
