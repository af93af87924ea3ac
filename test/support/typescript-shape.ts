import { join } from 'node:path';
import ts from 'typescript';
import { repository } from './fixtures.js';

/**
 * What TypeScript knows of an exported interface: the path of each key, with `?` for one that may be absent, `[]` for what an array
 * holds and `{}` for what a record holds; and of each leaf the kinds of values it may have.
 */
export function shapeOf(file: string, name: string): Map<string, string> {
  const config = ts.readConfigFile(join(repository, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, repository);
  const program = ts.createProgram([join(repository, file)], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(repository, file));
  if (source === undefined) throw new Error(`no ${file}`);
  const module = checker.getSymbolAtLocation(source);
  const symbol = module && checker.getExportsOfModule(module).find(one => one.name === name);
  if (symbol === undefined) throw new Error(`no ${name} in ${file}`);
  const shape = new Map<string, string>();
  const visit = (type: ts.Type, path: string): void => {
    const parts = type.isUnion() ? type.types : [type];
    const defined = parts.filter(part => (part.flags & ts.TypeFlags.Undefined) === 0);
    const [only] = defined;
    if (defined.length === 1 && checker.isArrayType(only)) {
      visit(checker.getTypeArguments(only as ts.TypeReference)[0], `${path}[]`);
      return;
    }
    if (defined.length === 1 && (only.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) !== 0) {
      const values = checker.getIndexTypeOfType(only, ts.IndexKind.String);
      if (values !== undefined) visit(values, `${path}{}`);
      for (const property of checker.getPropertiesOfType(only)) {
        const optional = (property.flags & ts.SymbolFlags.Optional) !== 0 ? '?' : '';
        visit(checker.getTypeOfSymbol(property), `${path}.${property.name}${optional}`);
      }
      return;
    }
    shape.set(
      path,
      defined
        .map(part => checker.typeToString(part))
        .sort()
        .join(' | '),
    );
  };
  visit(checker.getDeclaredTypeOfSymbol(symbol), '');
  return shape;
}
