// What this page uses of Swagger UI, which comes without types.
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  interface Options {
    url: string;
    domNode: Element;
    deepLinking?: boolean;
    validatorUrl?: null;
    tryItOutEnabled?: boolean;
    displayRequestDuration?: boolean;
    defaultModelsExpandDepth?: number;
    docExpansion?: "list" | "full" | "none";
    onComplete?(): void;
  }
  export default function SwaggerUI(options: Options): unknown;
}
