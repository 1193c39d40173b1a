#include "CYAML.h"

int cyaml_load(
    const unsigned char *bytes, size_t count, yaml_document_t *document, size_t *line, const char **problem) {
    yaml_parser_t parser;
    *line = 0;
    *problem = "out of memory";
    if (!yaml_parser_initialize(&parser)) return 0;
    yaml_parser_set_input_string(&parser, bytes, count);
    int loaded = yaml_parser_load(&parser, document);
    if (!loaded) {
        *line = parser.problem_mark.line + 1;
        if (parser.problem) *problem = parser.problem;
    }
    yaml_parser_delete(&parser);
    return loaded;
}
