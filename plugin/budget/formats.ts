import { type Checked, toJson } from './checked.js';
import { renderGithub } from './render/github.js';
import { renderJunit } from './render/junit.js';
import { renderMarkdown } from './render/markdown.js';
import { renderOpenMetrics } from './render/openmetrics.js';
import { renderText } from './render/text.js';

/** What `check` tells, by `--format`. `colours`: for a terminal. */
export const CHECK_FORMATS = {
  text: renderText,
  json: (checked: Checked) => `${JSON.stringify(toJson(checked), null, 2)}\n`,
  markdown: renderMarkdown,
  junit: renderJunit,
  github: renderGithub,
  openmetrics: renderOpenMetrics,
} as const satisfies Record<string, (checked: Checked, colours?: boolean) => string>;
