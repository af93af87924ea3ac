import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path/posix';
import ts from 'typescript';

/** A source file of `plugin/`; `path` is relative to that folder, such as `elf/file.ts`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Rooms by layer, lowest first: a file imports from lower layers and from its own room. */
const LAYERS: readonly (readonly string[])[] = [
  ['printable', 'version', 'nearest', 'group-by', 'json-path'],
  ['errors'],
  ['bytes'],
  ['elf'],
  ['btf'],
  ['bpf'],
  ['roots'],
  ['split'],
  ['image', 'carrier', 'boot'],
  ['modules'],
  ['diff'],
  ['report'],
  ['budget'],
  ['config'],
  ['host'],
  ['pipeline'],
  ['kbuild'],
  ['commands'],
  ['cli'],
  ['launch'],
  ['index'],
];

/** Rooms that compute and nothing else: they import no package and no module of Node, and touch no global of it. */
const PURE = ['btf', 'config', 'split', 'diff', 'budget', 'report'];
/** Packages that have one door. */
const FENCED: readonly { readonly name: string; readonly door: string }[] = [
  { name: 'execa', door: 'host/' },
  { name: 'fs-extra', door: 'host/' },
  { name: 'ajv', door: 'pipeline/report-file.ts' },
  { name: 'elfy', door: 'elf/elfy.ts' },
  { name: 'yargs', door: 'cli' },
];
const PROCESS_CONTROL = ['exit', 'exitCode', 'argv', 'stdout', 'stderr', 'stdin'];
export const LONGEST = 320;

/** Every rule that a file breaks, as a sentence; empty for a good one. */
export function violations({ path, text }: SourceFile): string[] {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const lines = text.split('\n').length - 1;
  return [
    ...importsOf(text).flatMap(name => importViolations(path, name)),
    ...globalViolations(path, tree),
    ...nodesOf(tree).flatMap(node => erasureViolation(path, node)),
    ...(path === 'index.ts' && tree.statements.some(statement => !isReexport(statement))
      ? ['index.ts does more than re-export']
      : []),
    ...(lines > LONGEST ? [`${path} has ${lines} lines, more than ${LONGEST}`] : []),
  ];
}

/** What a file imports, type-only and dynamic imports included; a `createRequire` counts for what it requires. */
function importsOf(text: string): string[] {
  const required = [...text.matchAll(/createRequire\([^)]*\)\(\s*['"]([^'"]+)['"]/g)].map(match => match[1]);
  return [...ts.preProcessFile(text, true, true).importedFiles.map(file => file.fileName), ...required];
}

function roomOf(path: string): string {
  return path.split('/')[0].replace(/\.[jt]s$/, '');
}

function layerOf(room: string): number {
  return LAYERS.findIndex(rooms => rooms.includes(room));
}

function importViolations(path: string, name: string): string[] {
  const room = roomOf(path);
  if (!name.startsWith('.')) return packageViolations(path, room, name);
  const target = join(dirname(path), name);
  if (target.startsWith('..')) return [`${path} imports ${name}, which is outside plugin/`];
  const targetRoom = roomOf(relative('', target));
  if (layerOf(room) < 0) return [`${path} is in no layer`];
  if (layerOf(targetRoom) < 0) return [`${path} imports ${target}, which is in no layer`];
  if (room === targetRoom || layerOf(targetRoom) < layerOf(room)) return [];
  return [`${path} imports ${target}, which is not below it`];
}

function packageViolations(path: string, room: string, name: string): string[] {
  const found: string[] = [];
  if (PURE.includes(room)) found.push(`${path} imports ${name}; ${room} does no I/O`);
  const fence = FENCED.find(fenced => name === fenced.name || name.startsWith(`${fenced.name}/`));
  if (fence !== undefined && !path.startsWith(fence.door)) found.push(`${path} imports ${name}, ${fence.door} may`);
  if (name === 'node:child_process') found.push(`${path} imports ${name}; programs are run with execa`);
  if (builtinModules.includes(name)) found.push(`${path} imports ${name} without node:`);
  return found;
}

function nodesOf(tree: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return nodes;
}

function globalViolations(path: string, tree: ts.SourceFile): string[] {
  const uses = nodesOf(tree)
    .filter(ts.isPropertyAccessExpression)
    .filter(({ expression }) => ts.isIdentifier(expression))
    .map(({ expression, name }) => ({ object: expression.getText(tree), name: name.text }));
  return uses.flatMap(({ object, name }) => {
    if (object === 'console') return [`${path} uses console.${name}`];
    if (object !== 'process') return [];
    if (PURE.includes(roomOf(path))) return [`${path} uses process.${name}; ${roomOf(path)} does no I/O`];
    return PROCESS_CONTROL.includes(name) && path !== 'cli.ts' ? [`${path} uses process.${name}, only cli.ts may`] : [];
  });
}

/** What Node cannot run by leaving the types out. */
function erasureViolation(path: string, node: ts.Node): string[] {
  const what = ts.isEnumDeclaration(node)
    ? 'an enum'
    : ts.isModuleDeclaration(node)
      ? 'a namespace'
      : ts.isParameterPropertyDeclaration(node, node.parent)
        ? 'a parameter property'
        : ts.isImportEqualsDeclaration(node) || (ts.isExportAssignment(node) && node.isExportEquals === true)
          ? 'an import or export with ='
          : ts.isTypeAssertionExpression(node)
            ? 'a type assertion with angle brackets'
            : ts.isDecorator(node)
              ? 'a decorator'
              : undefined;
  return what === undefined ? [] : [`${path} has ${what}`];
}

function isReexport(statement: ts.Statement): boolean {
  return ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined;
}
