"""What a path answers to the methods it does not take."""

from tools import undeclared_methods


def test_a_path_names_the_methods_it_takes():
    paths = {"/things": {"get": {}, "options": {}}}
    undeclared_methods.refuse(paths)
    answer = paths["/things"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]["responses"]
    assert answer["default"]["statusCode"] == "405"
    assert answer["default"]["responseParameters"]["method.response.header.Allow"] == "'GET, OPTIONS'"


def test_a_body_of_another_type_is_no_failure_of_ours():
    paths = {"/things": {"get": {}}}
    undeclared_methods.refuse(paths)
    integration = paths["/things"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]
    assert integration["passthroughBehavior"] == "never"
    assert set(integration["requestTemplates"].values()) == {'{"statusCode": 405}'}
