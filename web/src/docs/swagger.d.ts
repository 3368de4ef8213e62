// What this page uses of Swagger UI, which comes without types.
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  type UpdateJsonSpec = (spec: unknown) => unknown;
  interface Plugin {
    statePlugins: { spec: { wrapActions: { updateJsonSpec(original: UpdateJsonSpec): UpdateJsonSpec } } };
  }
  interface Options {
    url: string;
    domNode: Element;
    deepLinking?: boolean;
    validatorUrl?: null;
    tryItOutEnabled?: boolean;
    displayRequestDuration?: boolean;
    defaultModelsExpandDepth?: number;
    docExpansion?: "list" | "full" | "none";
    plugins?: Plugin[];
  }
  export default function SwaggerUI(options: Options): unknown;
}
