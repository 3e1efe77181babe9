/** Light or dark: the system's choice until the reader makes one, which is remembered. */

const KEY = 'paceboard.theme';

type Theme = 'light' | 'dark';

const system = matchMedia('(prefers-color-scheme: dark)');

class ThemeChoice {
  current = $state<Theme>(chosen() ?? preferred());

  constructor() {
    system.addEventListener('change', () => {
      if (!chosen()) this.current = preferred();
    });
  }

  toggle(): void {
    this.current = this.current === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = this.current;
    try {
      localStorage.setItem(KEY, this.current);
    } catch {
      // Storage may be refused: the choice lasts as long as the page.
    }
  }
}

function chosen(): Theme | null {
  const theme = document.documentElement.dataset.theme;
  return theme === 'light' || theme === 'dark' ? theme : null;
}

const preferred = (): Theme => (system.matches ? 'dark' : 'light');

export const theme = new ThemeChoice();
