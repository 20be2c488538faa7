import { Comment, Converter, IntrinsicType, ReflectionKind } from 'typedoc';

/**
 * A typedoc plugin for tables of constants such as `errorCodes`: a property whose type is one string says with that
 * string what it means: the string becomes the documentation, and is not repeated as type and value.
 */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, (context) => {
    for (const property of context.project.getReflectionsByKind(ReflectionKind.Property)) {
      const { type } = property;
      if (property.hasComment() || type?.type !== 'literal' || typeof type.value !== 'string') continue;
      property.comment = new Comment([{ kind: 'text', text: type.value }]);
      property.type = new IntrinsicType('string');
      property.defaultValue = undefined;
    }
  });
}
