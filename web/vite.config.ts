import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const API = process.env.PACEBOARD_API ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [svelte()],
  // Nothing is inlined: the page is served under default-src 'self', which refuses data: addresses.
  build: { assetsDir: 'assets', assetsInlineLimit: 0, sourcemap: false },
  server: { proxy: { '/v1': { target: API, ws: true } } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
